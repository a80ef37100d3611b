import { writeSync } from "node:fs";
import { isatty } from "node:tty";
import { OperatingError } from "../base/errors.ts";
import { errorCode, wantsColors } from "./output.ts";

/** One of the two outputs of the process, for the short texts of commands. Writing is synchronous: what was written is out before the process ends. */
export interface TextOutput {
	readonly isTerminal: boolean;
	/** True where colors are wanted: see wantsColors. */
	readonly colors: boolean;
	/** Columns of the terminal when the process started; 100 where there is none. */
	readonly width: number;
	/** Writes all of the text. Throws OperatingError: "output_closed" where nobody reads any more, "output_failed" otherwise. */
	write(text: string): void;
}

/** Both outputs of the process. */
export interface Terminal {
	readonly out: TextOutput;
	readonly error: TextOutput;
}

/** The outputs of this process. */
export function processTerminal(variables: Readonly<Record<string, string | undefined>>): Terminal {
	return { out: textOutput(1, process.stdout.columns, variables), error: textOutput(2, process.stderr.columns, variables) };
}

const widthDefault = 100;

function textOutput(descriptor: number, columns: number | undefined, variables: Readonly<Record<string, string | undefined>>): TextOutput {
	const isTerminal = isatty(descriptor);
	const width = isTerminal && columns !== undefined && columns > 0 ? columns : widthDefault;
	return { isTerminal, colors: wantsColors(isTerminal, variables), width, write: (text) => writeAll(descriptor, Buffer.from(text)) };
}

/** Milliseconds between attempts while the reader of a pipe is slow. */
const retryMilliseconds = 2;

function writeAll(descriptor: number, content: Buffer): void {
	let offset = 0;
	while (offset < content.length) {
		try {
			offset += writeSync(descriptor, content, offset);
		} catch (error) {
			// A pipe shared with a process that made it non-blocking; waiting is what a blocking write would do.
			if (errorCode(error) === "EAGAIN") Bun.sleepSync(retryMilliseconds);
			else
				throw new OperatingError(errorCode(error) === "EPIPE" ? "output_closed" : "output_failed", "Write to the standard output", { cause: error });
		}
	}
}
