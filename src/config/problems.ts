import { OperatingError } from "../base/errors.ts";
import { printable } from "../base/printable.ts";
import { maskSourceLine } from "./mask-source.ts";
import { describeOrigin, type Origin } from "./source-tree.ts";

/** The exit status for a wrong configuration (sysexits.h, EX_CONFIG). */
export const exitStatusConfig = 78;

/** Problems that one error lists. Beyond it the rest is only counted. */
export const problemsMax = 50;

/** One thing wrong with the configuration. */
export interface Problem {
	readonly origin: Origin;
	/** The key with dots, "" where the problem is not about one key. */
	readonly key: string;
	/** Follows the key: "must be at most 64, found 900". Holds no secret. */
	readonly message: string;
	/** The next step, as a sentence without a full stop. */
	readonly hint?: string | undefined;
}

/** Everything that is wrong with a configuration, at once. `code` is "config_invalid". */
export class ConfigError extends OperatingError {
	readonly problems: readonly Problem[];
	/** The text of each file, for the excerpts. */
	readonly texts: ReadonlyMap<string, string>;

	constructor(problems: readonly Problem[], texts: ReadonlyMap<string, string> = new Map()) {
		const [first] = problems;
		const rest = problems.length > 1 ? `, and ${problems.length - 1} more` : "";
		super(
			"config_invalid",
			`Read the configuration: ${first === undefined ? "unknown problem" : problemLine(first)}${rest}`,
			first?.hint === undefined ? {} : { hint: first.hint },
		);
		this.problems = problems;
		this.texts = texts;
	}
}

/** How {@link formatProblems} draws. */
export interface ProblemStyle {
	readonly colors: boolean;
	/** Shows the line of the file with a caret under the place. */
	readonly excerpts: boolean;
	/** Width of the terminal in columns; longer excerpts are cut around the place. */
	readonly width: number;
}

/** All problems as a text of whole lines, in the order of the file. */
export function formatProblems(error: ConfigError, style: ProblemStyle): string {
	const paint = (code: string, text: string) => (style.colors ? `\x1b[${code}m${text}\x1b[0m` : text);
	const count = error.problems.length;
	let text = `${paint("1;31", count === 1 ? "1 error in the configuration" : `${count} errors in the configuration`)}\n`;
	for (const problem of error.problems.slice(0, problemsMax)) {
		const place = describeOrigin(problem.origin);
		text += `${paint("1", printable(place))}: ${subject(problem)}\n`;
		if (style.excerpts) text += excerpt(problem.origin, error.texts, style.width, paint);
		if (problem.hint !== undefined) text += `  ${paint("36", "hint:")} ${printable(problem.hint)}\n`;
	}
	return count > problemsMax ? `${text}and ${count - problemsMax} more\n` : text;
}

/** Things that are allowed but hardly meant, one line each. */
export function formatWarnings(warnings: readonly Problem[], { colors }: Pick<ProblemStyle, "colors">): string {
	const label = colors ? "\x1b[33mwarning:\x1b[0m" : "warning:";
	return warnings.map((warning) => `${label} ${problemLine(warning)}${warning.hint === undefined ? "" : ` (${printable(warning.hint)})`}\n`).join("");
}

/** One problem in one line, without its hint. */
export function problemLine(problem: Problem): string {
	return `${printable(describeOrigin(problem.origin))}: ${subject(problem)}`;
}

function subject({ key, message }: Problem): string {
	return printable(key === "" ? message : `${key} ${message}`);
}

/** Longest line that is shown: longer ones were not written by a person, and masking them would take long. */
const lineLengthMax = 4096;

/** Columns kept to the left of the place where a long line is cut. */
const excerptLead = 30;

function excerpt(origin: Origin, texts: ReadonlyMap<string, string>, width: number, paint: (code: string, text: string) => string): string {
	if (origin.kind !== "file") return "";
	const text = texts.get(origin.path) ?? "";
	const lines = text === "" ? [] : text.split(/\r\n|\n/);
	const line = lines[origin.line - 1];
	if (line === undefined || line.length > lineLengthMax) return "";
	const start = origin.column - 1;
	const clean = maskSourceLine(lines, origin.line - 1)
		.replaceAll("\t", " ")
		.replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, "?");
	const gutter = `${String(origin.line).padStart(5)} | `;
	const room = Math.max(20, width - gutter.length - 1);
	const from = clean.length <= room || start <= excerptLead ? 0 : start - excerptLead;
	const shown = clean.slice(from, from + room);
	const marks = Math.max(1, Math.min(origin.length, shown.length - (start - from)));
	return `${paint("2", gutter)}${shown}\n${" ".repeat(gutter.length - 2)}${paint("2", "|")} ${" ".repeat(start - from)}${paint("1;31", "^".repeat(marks))}\n`;
}
