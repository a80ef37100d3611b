import { accessSync, constants, readdirSync, readFileSync, statSync } from "node:fs";

/** The text of a small file of procfs, sysfs or /etc, or undefined where it cannot be read. Any thread; blocks. */
export function readTextFile(path: string): string | undefined {
	try {
		return readFileSync(path, "utf8");
	} catch {
		// Absence is an answer here: what is unknown stays absent.
		return undefined;
	}
}

/** The names in a directory, or undefined where it cannot be listed. */
export function listDirectory(path: string): readonly string[] | undefined {
	try {
		return readdirSync(path);
	} catch {
		// As above.
		return undefined;
	}
}

/** True where this process may read the file. */
export function isReadable(path: string): boolean {
	try {
		accessSync(path, constants.R_OK);
		return true;
	} catch {
		// As above.
		return false;
	}
}

/** What tells a file or directory from every other that exists at the same time, or undefined where there is none or it cannot be looked at. */
export function fileIdentity(path: string): string | undefined {
	try {
		const { dev, ino } = statSync(path);
		return `${dev}:${ino}`;
	} catch {
		// As above.
		return undefined;
	}
}
