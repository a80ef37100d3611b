import { closeSync, fchmodSync, fdatasyncSync, fsyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";

/** One file that is open for appending. Throws what the system says. */
export interface AppendFile {
	/** Writes at the end and returns how many bytes went in: fewer than given where the disk is full. */
	write(content: Uint8Array): number;
	/** Cuts the file to its first `length` bytes. */
	truncate(length: number): void;
	/** Returns when the content survives a power loss. Milliseconds. */
	sync(): void;
	close(): void;
}

/** The files of the state folder, given to whoever keeps state so that tests can fail each operation in turn. Throws what the system says; blocks. */
export interface StateFiles {
	/** Makes a folder and those above it, for the owner alone. Harmless where it exists. */
	makeDirectory(path: string): void;
	/** The content of a file, or undefined where there is none. */
	read(path: string): Uint8Array | undefined;
	/** Opens a file for appending, for the owner alone; made where there is none. */
	append(path: string): AppendFile;
	/** Puts content in the place of a file so that after a crash or a power loss there is either the old one or the new one, whole. Milliseconds. */
	replace(path: string, content: Uint8Array): void;
	/** Moves a file, over another one where there is one. */
	rename(source: string, target: string): void;
}

/** The files of the machine. */
export const systemStateFiles: StateFiles = {
	makeDirectory(path) {
		mkdirSync(path, { recursive: true, mode: 0o700 });
	},
	read(path) {
		try {
			return readFileSync(path);
		} catch (error) {
			if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
			throw error;
		}
	},
	append(path) {
		const descriptor = openSync(path, "a", 0o600);
		return {
			write: (content) => writeSync(descriptor, content),
			truncate: (length) => ftruncateSync(descriptor, length),
			sync: () => fdatasyncSync(descriptor),
			close: () => closeSync(descriptor),
		};
	},
	replace(path, content) {
		const next = `${path}.new`;
		const descriptor = openSync(next, "w", 0o600);
		try {
			// A file left by an earlier attempt keeps its mode otherwise.
			fchmodSync(descriptor, 0o600);
			let written = 0;
			while (written < content.length) written += writeSync(descriptor, content, written);
			fsyncSync(descriptor);
		} finally {
			closeSync(descriptor);
		}
		renameSync(next, path);
		// The name is in the folder, and the folder is a file of its own.
		const folder = openSync(dirname(path), "r");
		try {
			fsyncSync(folder);
		} finally {
			closeSync(folder);
		}
	},
	rename: renameSync,
};
