import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { hostname } from "node:os";
import { OperatingError } from "../base/errors.ts";
import { errorCode } from "./output.ts";

/** What the process was started with. */
export interface Surroundings {
	/** The arguments behind the program's name. */
	readonly arguments: readonly string[];
	readonly variables: Readonly<Record<string, string | undefined>>;
	readonly hostName: string;
	readonly processId: number;
	/** Platform and architecture, as in `linux-x64`. */
	readonly platform: string;
	/** Version of the runtime inside this binary. */
	readonly runtime: string;
}

/** The surroundings of this process, as they are now. */
export function currentSurroundings(): Surroundings {
	return {
		arguments: process.argv.slice(2),
		variables: process.env,
		hostName: hostname(),
		processId: process.pid,
		platform: `${process.platform}-${process.arch}`,
		runtime: `bun ${Bun.version}`,
	};
}

/**
 * Reads a file up to `bytesMax` + 1 bytes, so that a larger one shows. Undefined where there is no such file. Throws OperatingError: "file_directory",
 * "file_permission", "file_kind" for sockets and disks, "file_read" for the rest.
 */
export function readFileUpTo(path: string, bytesMax: number): Uint8Array | undefined {
	let descriptor: number;
	try {
		descriptor = openSync(path, "r");
	} catch (error) {
		if (errorCode(error) === "ENOENT" || errorCode(error) === "ENOTDIR") return undefined;
		throw readError(error);
	}
	try {
		const status = fstatSync(descriptor);
		if (status.isDirectory()) throw new OperatingError("file_directory", "this is a directory, not a file", { hint: "name a file inside it" });
		if (!status.isFile() && !status.isFIFO() && !status.isCharacterDevice())
			throw new OperatingError("file_kind", "this is no file that can be read");
		return readAll(descriptor, bytesMax + 1);
	} catch (error) {
		throw error instanceof OperatingError ? error : readError(error);
	} finally {
		closeSync(descriptor);
	}
}

function readAll(descriptor: number, bytesMax: number): Uint8Array {
	const content = new Uint8Array(bytesMax);
	let length = 0;
	while (length < bytesMax) {
		const count = readSync(descriptor, content, length, bytesMax - length, null);
		if (count === 0) break;
		length += count;
	}
	return content.subarray(0, length);
}

function readError(error: unknown): OperatingError {
	const code = errorCode(error);
	if (code === "EACCES" || code === "EPERM") {
		return new OperatingError("file_permission", "the file may not be read by this user", { cause: error, hint: "check its owner and mode" });
	}
	return new OperatingError("file_read", "the file cannot be read", { cause: error });
}
