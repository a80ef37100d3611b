import {
	closeSync,
	fdatasyncSync,
	fstatSync,
	fsyncSync,
	ftruncateSync,
	mkdirSync,
	openSync,
	readdirSync,
	readSync,
	unlinkSync,
	writeSync,
} from "node:fs";
import { errorCode } from "./output.ts";

/** One open file, read and written at positions in bytes from its start. Throws what the system says; blocks. */
export interface SpoolFile {
	/** Bytes of the file. */
	size(): number;
	/** Fills `target` from `position` on and returns how many bytes came: fewer than asked for at the end of the file, 0 behind it. */
	read(target: Uint8Array, position: number): number;
	/** Writes at `position` and returns how many bytes went in: fewer than given where the disk is full. */
	write(content: Uint8Array, position: number): number;
	/** Cuts the file to its first `length` bytes. */
	truncate(length: number): void;
	/** Returns when the content survives a power loss. Milliseconds. */
	sync(): void;
	/** Once. */
	close(): void;
}

/** The files of a spool, given to it so that tests can fail each operation in turn. Throws what the system says; blocks. */
export interface SpoolFiles {
	/** Makes a folder and those above it, for the owner alone. Harmless where it exists. */
	makeDirectory(path: string): void;
	/** The names in a folder in no order, or undefined where there is none. */
	list(path: string): readonly string[] | undefined;
	/** Opens a file for reading; undefined where there is none. */
	read(path: string): SpoolFile | undefined;
	/** Opens a file for reading and writing, for the owner alone; made where there is none. */
	open(path: string): SpoolFile;
	/** Removes a file. Harmless where there is none. */
	remove(path: string): void;
	/** Returns when the names in a folder survive a power loss. Milliseconds. */
	syncDirectory(path: string): void;
}

/** The files of the machine. */
export const systemSpoolFiles: SpoolFiles = {
	makeDirectory(path) {
		mkdirSync(path, { recursive: true, mode: 0o700 });
	},
	list: (path) => unlessAbsent(() => readdirSync(path)),
	read: (path) => unlessAbsent(() => fileOf(openSync(path, "r"))),
	open(path) {
		try {
			return fileOf(openSync(path, "r+"));
		} catch (error) {
			if (errorCode(error) !== "ENOENT") throw error;
			return fileOf(openSync(path, "wx+", 0o600));
		}
	},
	remove(path) {
		unlessAbsent(() => unlinkSync(path));
	},
	syncDirectory(path) {
		const descriptor = openSync(path, "r");
		try {
			fsyncSync(descriptor);
		} finally {
			closeSync(descriptor);
		}
	},
};

function unlessAbsent<T>(work: () => T): T | undefined {
	try {
		return work();
	} catch (error) {
		if (errorCode(error) === "ENOENT") return undefined;
		throw error;
	}
}

function fileOf(descriptor: number): SpoolFile {
	return {
		size: () => fstatSync(descriptor).size,
		read: (target, position) => readSync(descriptor, target, 0, target.length, position),
		write: (content, position) => writeSync(descriptor, content, 0, content.length, position),
		truncate: (length) => ftruncateSync(descriptor, length),
		sync: () => fdatasyncSync(descriptor),
		close: () => closeSync(descriptor),
	};
}
