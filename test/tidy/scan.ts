/** How one module names another. */
export type ImportKind = "static" | "type" | "export" | "dynamic" | "url";

/** One import as written. */
export interface ImportReference {
	readonly kind: ImportKind;
	readonly specifier: string;
	readonly line: number;
}

/** TypeScript text, taken apart as far as the checks need it. */
export interface Scan {
	/** The text with comments, and the insides of strings and regular expressions, blanked. Same length, same lines. */
	readonly code: string;
	/** The text with comments alone blanked. Same length, same lines. */
	readonly uncommented: string;
	readonly imports: readonly ImportReference[];
	/** `code` with import and export clauses blanked as well, so that `as` there is no cast. */
	readonly body: string;
}

/** Words after which a slash begins a regular expression. */
const wordsBeforePattern = new Set([
	"return",
	"typeof",
	"case",
	"in",
	"of",
	"do",
	"else",
	"void",
	"delete",
	"await",
	"yield",
	"instanceof",
	"new",
	"throw",
]);

/** Takes TypeScript apart: own code, because TypeScript 7 has no JavaScript interface and Bun's transpiler drops type imports. */
export function scan(text: string): Scan {
	const { code, uncommented } = blank(text);
	const imports: ImportReference[] = [];
	let body = code;
	// Clauses are static: they begin a statement and end at the quoted module.
	for (const match of code.matchAll(/^[ \t]*(import|export)\b([^"'`;=()]*?)\bfrom\s*(["'])/gm)) {
		const at = match.index + match[0].length - 1;
		const kind = /^\s*type\b/.test(match[2] ?? "") ? "type" : match[1] === "export" ? "export" : "static";
		imports.push({ kind, specifier: quoted(text, at), line: lineAt(text, match.index) });
		body = body.slice(0, match.index) + spaces(match[0]) + body.slice(match.index + match[0].length);
	}
	for (const match of code.matchAll(/^[ \t]*import\s*(["'])/gm)) {
		imports.push({ kind: "static", specifier: quoted(text, match.index + match[0].length - 1), line: lineAt(text, match.index) });
	}
	for (const match of code.matchAll(/\b(?:import|require)\s*\(\s*(["'`])/g)) {
		imports.push({ kind: "dynamic", specifier: quoted(text, match.index + match[0].length - 1), line: lineAt(text, match.index) });
	}
	for (const match of code.matchAll(/\bnew URL\(\s*(["'`])[^"'`]*["'`]\s*,\s*import\.meta\.url/g)) {
		const at = match.index + match[0].indexOf(match[1] ?? '"');
		imports.push({ kind: "url", specifier: quoted(text, at), line: lineAt(text, match.index) });
	}
	for (const match of body.matchAll(/^[ \t]*export\s*(?:type\s*)?\{[^}]*\}/gm)) {
		body = body.slice(0, match.index) + spaces(match[0]) + body.slice(match.index + match[0].length);
	}
	return { code, uncommented, imports, body };
}

/** The number of the line that `index` is on, from 1. */
export function lineAt(text: string, index: number): number {
	let line = 1;
	for (let at = text.indexOf("\n"); at !== -1 && at < index; at = text.indexOf("\n", at + 1)) line++;
	return line;
}

function quoted(text: string, at: number): string {
	const end = text.indexOf(text[at] ?? '"', at + 1);
	return text.slice(at + 1, end === -1 ? undefined : end);
}

function spaces(text: string): string {
	return text.replace(/[^\n]/g, " ");
}

/** Walks the text once and blanks what is not code. Template literals keep the code inside `${}`. */
function blank(text: string): { code: string; uncommented: string } {
	const code = text.split("");
	const uncommented = text.split("");
	const erase = (target: string[], from: number, to: number) => {
		for (let index = from; index < to && index < target.length; index++) if (target[index] !== "\n") target[index] = " ";
	};
	// Depth of braces at which each open `${` ends.
	const templates: number[] = [];
	let braces = 0;
	let at = 0;
	while (at < text.length) {
		const character = text[at] ?? "";
		const pair = character + (text[at + 1] ?? "");
		if (pair === "//" || pair === "/*") {
			const found = pair === "//" ? text.indexOf("\n", at) : text.indexOf("*/", at + 2) + 2;
			const end = found < at + 2 ? text.length : found;
			erase(code, at, end);
			erase(uncommented, at, end);
			at = end;
		} else if (character === '"' || character === "'" || (character === "/" && beginsPattern(code, at))) {
			const end = skipQuoted(text, at, character);
			erase(code, at + 1, end - 1);
			at = end;
		} else if (character === "`" || (character === "}" && templates.at(-1) === braces)) {
			if (character === "}") templates.pop();
			const end = skipTemplate(text, at + 1);
			const opens = text[end - 1] === "{";
			erase(code, at + 1, opens ? end - 2 : end - 1);
			if (opens) templates.push(braces);
			at = end;
		} else {
			if (character === "{") braces++;
			if (character === "}") braces--;
			at++;
		}
	}
	return { code: code.join(""), uncommented: uncommented.join("") };
}

/** True where a slash at `at` begins a regular expression rather than a division. */
function beginsPattern(code: readonly string[], at: number): boolean {
	let before = at - 1;
	while (before >= 0 && /\s/.test(code[before] ?? "")) before--;
	const last = code[before] ?? "";
	if (last === "" || "(,=:[!&|?{};~^<>+-*%".includes(last)) return true;
	if (!/[\w$]/.test(last)) return false;
	let start = before;
	while (start > 0 && /[\w$]/.test(code[start - 1] ?? "")) start--;
	return wordsBeforePattern.has(code.slice(start, before + 1).join(""));
}

/** Index behind the closing quote of a string, or of a regular expression, that begins at `at`. */
function skipQuoted(text: string, at: number, quote: string): number {
	let inClass = false;
	for (let index = at + 1; index < text.length; index++) {
		const character = text[index];
		if (character === "\\") index++;
		else if (character === "\n") return index;
		else if (quote === "/" && character === "[") inClass = true;
		else if (quote === "/" && character === "]") inClass = false;
		else if (character === quote && !inClass) return index + 1;
	}
	return text.length;
}

/** Index behind the backtick, or behind the `${`, that ends this piece of a template. */
function skipTemplate(text: string, from: number): number {
	for (let index = from; index < text.length; index++) {
		const character = text[index];
		if (character === "\\") index++;
		else if (character === "`") return index + 1;
		else if (character === "$" && text[index + 1] === "{") return index + 2;
	}
	return text.length;
}
