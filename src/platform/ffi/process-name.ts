import { cString, libc } from "./libc.ts";

/** PR_SET_NAME of prctl(2). */
const setName = 15;
/** What the kernel keeps of a name. */
const nameLengthMax = 15;

/** Names this thread, and with the main thread the process, for ps and top. Longer names are cut to 15 bytes. */
export function setProcessName(name: string): void {
	const text = cString(name.slice(0, nameLengthMax));
	libc.prctl(setName, text, 0, 0, 0);
}
