import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLError, type YAMLMap } from "yaml";
import { printable } from "../base/printable.ts";
import type { Problem } from "./problems.ts";
import { emptySection, type Origin, type SourceEntry, type SourceNode, type SourceSection } from "./source-tree.ts";

/** Values of one file once aliases are followed. Beyond it the file is refused: a person writes some hundred. */
export const valuesMax = 20_000;

/** Sections inside sections. Beyond it the file is refused; the schema knows five. */
export const depthMax = 32;

/** What a file holds, and what is wrong with how it is written. */
export interface YamlSource {
	readonly root: SourceSection;
	readonly problems: readonly Problem[];
}

/** Reads a YAML text into sections with the place of every key and value. Throws nothing: what is wrong stands in `problems`. */
export function parseYamlSource(text: string, path: string): YamlSource {
	const counter = new LineCounter();
	const start: Origin = { kind: "file", path, line: 0, column: 0, length: 0 };
	let document: Document.Parsed;
	try {
		// Duplicate keys are found below, where both places are known.
		document = parseDocument(text, { lineCounter: counter, prettyErrors: false, uniqueKeys: false, resolveKnownTags: false, logLevel: "error" });
	} catch (cause) {
		// The parser of the library recurses, and throws RangeError on a text of brackets only.
		const message = cause instanceof RangeError ? "is nested too deeply" : "cannot be read as YAML";
		return { root: emptySection(start), problems: [{ origin: start, key: "", message: `the file ${message}` }] };
	}
	const reader = new SourceReader(path, counter);
	const syntax = [...document.errors, ...document.warnings].map((error) => syntaxProblem(error, text, reader));
	// After a syntax error the tree is a guess, and so would be every further message.
	if (syntax.length > 0) return { root: emptySection(start), problems: syntax.slice(0, 1) };
	if (document.contents === null || (isScalar(document.contents) && document.contents.value === null)) {
		const hint = "write at least one key, or start without the file";
		return { root: emptySection(start), problems: [{ origin: start, key: "", message: "the file is empty", hint }] };
	}
	const root = reader.read(document.contents, "", 0);
	if (root.kind === "section") return { root, problems: reader.problems };
	const message = `the file holds ${root.kind === "list" ? "a list" : "a single value"} where sections are expected`;
	return { root: emptySection(start), problems: [{ origin: root.origin, key: "", message, hint: "begin with a line such as orchestrator:" }] };
}

/** Turns the nodes of the library into ours, following aliases in the order of the text. */
class SourceReader {
	readonly problems: Problem[] = [];
	readonly #path: string;
	readonly #counter: LineCounter;
	readonly #anchors = new Map<string, Node>();
	#values = 0;

	constructor(path: string, counter: LineCounter) {
		this.#path = path;
		this.#counter = counter;
	}

	origin(from: number, to: number): Origin {
		const { line, col } = this.#counter.linePos(from);
		return { kind: "file", path: this.#path, line: Math.max(1, line), column: Math.max(1, col), length: Math.max(1, to - from) };
	}

	#originOf(node: Node): Origin {
		return this.origin(node.range?.[0] ?? 0, node.range?.[1] ?? 0);
	}

	read(node: Node, key: string, depth: number): SourceNode {
		const origin = this.#originOf(node);
		this.#values++;
		if (this.#values > valuesMax || depth > depthMax) {
			const message = depth > depthMax ? `is nested deeper than ${depthMax} levels` : `repeats aliases to more than ${valuesMax} values`;
			if (this.#values !== Number.POSITIVE_INFINITY) this.problems.push({ origin, key, message });
			this.#values = Number.POSITIVE_INFINITY;
			return { kind: "scalar", origin, value: null, text: "", typed: true };
		}
		if (isAlias(node)) {
			const target = this.#anchors.get(node.source);
			if (target !== undefined) return this.read(target, key, depth + 1);
			this.problems.push({ origin, key, message: `refers to an anchor "${printable(node.source)}" that is not defined above` });
			return { kind: "scalar", origin, value: null, text: "", typed: true };
		}
		if ((isMap(node) || isSeq(node) || isScalar(node)) && node.anchor !== undefined) this.#anchors.set(node.anchor, node);
		if (isMap(node)) return this.#section(node, origin, key, depth);
		if (isSeq(node)) {
			const items: SourceNode[] = [];
			for (const item of node.items) if (isNode(item)) items.push(this.read(item, key, depth + 1));
			return { kind: "list", origin, items };
		}
		const value = isScalar(node) ? node.value : null;
		const plain = typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : null;
		return { kind: "scalar", origin, value: plain, text: isScalar(node) ? (node.source ?? String(value)) : "", typed: true };
	}

	#section(map: YAMLMap, origin: Origin, parent: string, depth: number): SourceSection {
		const entries = new Map<string, SourceEntry>();
		for (const pair of map.items) {
			if (!isScalar(pair.key)) {
				const place = isNode(pair.key) ? this.#originOf(pair.key) : origin;
				this.problems.push({ origin: place, key: parent, message: "has a key that is not a plain word" });
				continue;
			}
			const name = pair.key.source ?? String(pair.key.value);
			const place = this.#originOf(pair.key);
			const path = parent === "" ? name : `${parent}.${name}`;
			const first = entries.get(name)?.origin;
			if (first?.kind === "file")
				this.problems.push({ origin: place, key: printable(path), message: `is written twice, first in line ${first.line}` });
			const value: SourceNode = isNode(pair.value)
				? this.read(pair.value, path, depth + 1)
				: { kind: "scalar", origin: place, value: null, text: "", typed: true };
			entries.set(name, { origin: place, value });
		}
		return { kind: "section", origin, entries };
	}
}

function isNode(value: unknown): value is Node {
	return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value);
}

const syntaxMessages: Readonly<Record<string, string>> = {
	TAB_AS_INDENT: "a tab is used for indentation, YAML allows only spaces",
	MULTIPLE_DOCS: "the file holds several YAML documents, only one is read",
	BAD_INDENT: "the indentation does not fit the lines above",
	MISSING_CHAR: "a character is missing: a comma, a colon, a quote or a closing bracket",
	MULTILINE_IMPLICIT_KEY: "a key goes over several lines: is a colon missing?",
	BLOCK_AS_IMPLICIT_KEY: "a colon and a blank stand inside a value: put quotes around the value",
	TAG_RESOLVE_FAILED: "tags such as !name are not understood here",
};

function syntaxProblem(error: YAMLError, text: string, reader: SourceReader): Problem {
	const [from, to] = error.pos;
	const lineStart = text.lastIndexOf("\n", from - 1) + 1;
	const lineEnd = text.indexOf("\n", from) < 0 ? text.length : text.indexOf("\n", from);
	const reference = /(?<=^|[^"'$])\$\{[^}\n]*\}/.exec(text.slice(lineStart, lineEnd));
	if (reference !== null) {
		const at = lineStart + reference.index;
		const hint = `write "${printable(reference[0])}"`;
		return {
			origin: reader.origin(at, at + reference[0].length),
			key: "",
			message: `not valid YAML: ${printable(reference[0])} stands here without quotes`,
			hint,
		};
	}
	const unclosed = error.code === "BAD_INDENT" && error.message.startsWith("Flow");
	// The parser of the library recurses, and reports the stack as an error of the text.
	const deep = error.message.includes("call stack");
	const known = deep
		? "it is nested too deeply"
		: unclosed
			? "a [ or { is not closed, or closed with too little indentation"
			: syntaxMessages[error.code];
	const message = `not valid YAML: ${known ?? printable(error.message)}`;
	return { origin: reader.origin(from, Math.max(from + 1, Math.min(to, lineEnd))), key: "", message };
}
