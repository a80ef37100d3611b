import { resolve } from "node:path";

/** The root of the repository. */
export const root: string = resolve(import.meta.dir, "../..");

/** A path below the root of the repository; an absolute one as it is. */
export function inRoot(...parts: string[]): string {
	return resolve(root, ...parts);
}
