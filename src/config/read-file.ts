import { describeError, OperatingError } from "../base/errors.ts";
import type { Problem } from "./problems.ts";
import { emptySection, type Origin, type SourceSection } from "./source-tree.ts";
import { parseYamlSource } from "./yaml-source.ts";

/** Largest configuration file, in bytes: larger ones are something else. */
export const fileBytesMax = 1024 * 1024;

/** Reads at most `bytesMax` + 1 bytes of a file; undefined where there is none. Throws OperatingError for a directory or without permission. */
export type ReadFile = (path: string, bytesMax: number) => Uint8Array | undefined;

/** One file as a layer of the configuration. */
export interface FileSource {
	readonly root: SourceSection;
	readonly problems: readonly Problem[];
	/** Empty where the file could not be read as text. */
	readonly text: string;
}

/** Reads one file. Undefined where there is none and `required` is false; what else is wrong with it stands in `problems`. */
export function readConfigFile(path: string, read: ReadFile, required: boolean): FileSource | undefined {
	const origin: Origin = { kind: "file", path, line: 0, column: 0, length: 0 };
	const fail = (message: string, hint?: string): FileSource => ({
		root: emptySection(origin),
		problems: [{ origin, key: "", message, hint }],
		text: "",
	});
	let content: Uint8Array | undefined;
	try {
		content = read(path, fileBytesMax);
	} catch (error) {
		if (error instanceof OperatingError) return fail(error.message, error.hint);
		return fail(`cannot be read: ${describeError(error)}`);
	}
	if (content === undefined)
		return required ? fail("there is no such file", "check the path; a relative one starts at the working directory") : undefined;
	if (content.length > fileBytesMax) return fail(`the file is larger than ${fileBytesMax / 1024} KiB, which no configuration is`);
	let text: string;
	try {
		text = new TextDecoder("utf-8", { fatal: true }).decode(content);
	} catch {
		// The only thing that a fatal decoder throws: the bytes are not UTF-8, and the person is told so.
		return fail("the file is not UTF-8 text", "save it as UTF-8");
	}
	const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/.exec(text);
	if (control !== null) {
		const line = text.slice(0, control.index).split("\n").length;
		return {
			...fail(""),
			problems: [
				{ origin: { ...origin, line, column: 1, length: 1 }, key: "", message: "the file holds control characters, which no text file does" },
			],
		};
	}
	return { ...parseYamlSource(text, path), text };
}
