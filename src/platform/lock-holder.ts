import { statSync } from "node:fs";
import { readTextFile } from "./files.ts";

/**
 * True where somebody holds a flock(2) on the file, by /proc/locks (proc(5)), which lists those of this process namespace. Undefined where that cannot be
 * read. Takes no lock itself: a process that starts meanwhile must not be refused because somebody looked.
 */
export function isLocked(path: string): boolean | undefined {
	const locks = readTextFile("/proc/locks");
	if (locks === undefined) return undefined;
	let inode: number;
	try {
		inode = statSync(path).ino;
	} catch {
		// No file, no lock.
		return false;
	}
	// "1: FLOCK  ADVISORY  WRITE 4711 fe:00:131090 0 EOF". The device there is that of the file system, which stat() tells otherwise on overlays: the inode decides.
	return new RegExp(`^\\d+: FLOCK .* [0-9a-f]+:[0-9a-f]+:${inode} `, "m").test(locks);
}
