import { maskSecrets } from "../base/mask.ts";

/** A key, also a mistyped one, whose value is never shown, up to its value. */
const secretKey = /["']?[\w-]*(?:pas|pwd|tok|nkey|secret|seed|cred)[\w-]*["']?\s*[:=]\s*/gi;
/** A value that only names a variable. */
const reference = /^["']?\$\{\w+\}["']?$/;

/**
 * One line of a configuration file as it may be shown: whatever could be a secret is stars, as many as there were characters, so that columns stay.
 * Works on the text alone, because it must also do for files that are not valid YAML; it rather hides too much. `index` counts from 0.
 */
export function maskSourceLine(lines: readonly string[], index: number): string {
	const line = lines[index] ?? "";
	return belongsToSecret(lines, index) ? stars(line) : maskValues(maskCredentials(line));
}

/** Lines looked back for the key that a line belongs to. */
const lookBackMax = 1000;

/** Does the line continue a value that began in a line above, with less indentation and a secret key? */
function belongsToSecret(lines: readonly string[], index: number): boolean {
	const line = lines[index] ?? "";
	let indent = indentOf(line) + (/^\s*- /.test(line) ? 1 : 0);
	for (let above = index - 1; above >= Math.max(0, index - lookBackMax) && indent > 0; above--) {
		const candidate = lines[above] ?? "";
		if (candidate.trim() === "" || indentOf(candidate) >= indent) continue;
		indent = indentOf(candidate);
		if (candidate.search(secretKey) >= 0) return true;
	}
	return false;
}

function indentOf(line: string): number {
	return line.length - line.trimStart().length;
}

function maskValues(line: string): string {
	let masked = line;
	for (const match of line.matchAll(secretKey)) {
		const start = match.index + match[0].length;
		const inFlow = line.slice(0, match.index).trim() !== "";
		const length = valueLength(line.slice(start), inFlow);
		const value = line.slice(start, start + length);
		if (!reference.test(value.trim())) masked = masked.slice(0, start) + stars(value) + masked.slice(start + length);
	}
	return masked;
}

/** Characters of the value at the start of a text. A key that begins its line has the whole rest of it. */
function valueLength(text: string, inFlow: boolean): number {
	if (!inFlow || text.startsWith("[") || text.startsWith("{")) return text.length;
	const quoted = /^"(?:[^"\\]|\\.)*"?|^'(?:[^']|'')*'?/.exec(text);
	return quoted?.[0].length ?? /^[^,}]*/.exec(text)?.[0].length ?? 0;
}

/** The line with as many stars as the masked URL lacks characters. */
function maskCredentials(line: string): string {
	const clean = maskSecrets(line);
	return clean.length >= line.length ? clean : clean.replace("***", "*".repeat(3 + line.length - clean.length));
}

function stars(text: string): string {
	return text.replace(/\S/g, "*");
}
