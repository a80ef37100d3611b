import type { GenericSchema } from "valibot";
import { nearest } from "../base/nearest.ts";
import { printable } from "../base/printable.ts";
import { expand, type Variables } from "./expand.ts";
import { entriesOf, leavesOf, notesOf, type Shape, shapeOf } from "./introspect.ts";
import type { Problem } from "./problems.ts";
import type { Origin, SourceNode, SourceScalar, SourceSection } from "./source-tree.ts";

/** Plain data for the schema, and what kept some of it from being read. */
export interface Resolved {
	readonly value: unknown;
	readonly problems: readonly Problem[];
	/** Keys with a problem, with dots: the schema has nothing more to say about them. */
	readonly failed: ReadonlySet<string>;
	/** Where the value of each key came from, by the key with dots. What is not in here is a default. */
	readonly origins: ReadonlyMap<string, Origin>;
}

/** Turns what people wrote into plain data: names every unknown key, expands variables, and reads text the way the schema's type wants it. */
export function resolveSource(root: SourceSection, schema: GenericSchema, variables: Variables): Resolved {
	const resolver = new Resolver(schema, variables);
	const value = resolver.section(root, schema, [], false);
	return { value, problems: resolver.problems, failed: resolver.failed, origins: resolver.origins };
}

/** Keys that `auth_enabled: false` switches off. */
const credentialKeys: readonly string[] = ["username", "password", "token", "nkey", "creds"];

class Resolver {
	readonly problems: Problem[] = [];
	readonly failed = new Set<string>();
	readonly origins = new Map<string, Origin>();
	readonly #schema: GenericSchema;
	readonly #variables: Variables;

	constructor(schema: GenericSchema, variables: Variables) {
		this.#schema = schema;
		this.#variables = variables;
	}

	/** `off`: the section or one around it is switched off, so its variables need not be set. */
	section(node: SourceSection, schema: GenericSchema, path: readonly string[], off: boolean): Record<string, unknown> {
		const entries = entriesOf(schema) ?? {};
		const sectionOff = off || isSwitchedOff(node, "enabled", this.#variables);
		const authOff = isSwitchedOff(node, "auth_enabled", this.#variables);
		const values: [string, unknown][] = [];
		for (const [key, { origin, value }] of node.entries) {
			const keyPath = [...path, key];
			if (!Object.hasOwn(entries, key)) {
				this.#unknownKey(key, path, Object.keys(entries), origin);
				continue;
			}
			const entry = entries[key];
			if (entry === undefined) continue;
			const plain = this.#value(value, entry, keyPath, sectionOff || (authOff && credentialKeys.includes(key)));
			if (plain === undefined) continue;
			this.origins.set(keyPath.join("."), value.origin);
			values.push([key, plain]);
		}
		return Object.fromEntries(values);
	}

	#value(node: SourceNode, schema: GenericSchema, path: readonly string[], off: boolean): unknown {
		const shape = shapeOf(schema);
		if (shape === "section") return this.#sectionValue(node, schema, path, off);
		if (node.kind === "section") return shape === "other" ? this.#freely(node, path, off) : this.#wrongKind(node.origin, path, shape, "a section");
		if (node.kind === "list") {
			if (shape !== "list" && shape !== "textOrList" && shape !== "other") return this.#wrongKind(node.origin, path, shape, "a list");
			return node.items.map((item) =>
				item.kind === "scalar" ? this.#scalar(item, shape === "other" ? "other" : "text", path, off) : this.#freely(item, path, off),
			);
		}
		const secret = notesOf(schema).secret === true || notesOf(schema).url === true;
		return this.#scalar(node, shape, path, off, secret);
	}

	#sectionValue(node: SourceNode, schema: GenericSchema, path: readonly string[], off: boolean): unknown {
		if (node.kind === "section") return this.section(node, schema, path, off);
		if (node.kind === "scalar" && node.value === null) return {};
		const hint =
			node.origin.kind === "file"
				? undefined
				: `set one of its keys, such as ${[...path, Object.keys(entriesOf(schema) ?? {})[0] ?? "key"].join(".")}`;
		return this.#wrongKind(node.origin, path, "section", node.kind === "list" ? "a list" : "a single value", hint);
	}

	#wrongKind(origin: Origin, path: readonly string[], wanted: Shape, found: string, hint?: string): undefined {
		this.#problem(origin, path, `expects ${shapeNames[wanted]}, found ${found}`, hint);
		return undefined;
	}

	#scalar(node: SourceScalar, shape: Shape, path: readonly string[], off: boolean, secret = false): unknown {
		if (node.value === null) return undefined;
		if (!node.typed) return readText(node.text, shape);
		if (typeof node.value !== "string") {
			// A password of digits is meant as it stands; only text can hold it.
			return typeof node.value === "number" && (shape === "text" || shape === "textOrList" || shape === "choice") ? node.text : node.value;
		}
		const expansion = expand(node.value, this.#variables);
		switch (expansion.outcome) {
			case "unchanged":
				return node.value;
			case "expanded":
				return readText(expansion.text, shape);
			case "unset": {
				if (off) return undefined;
				const variable = expansion.variable;
				const fallback = secret ? "" : `, or give a default as in \${${variable}:-value}`;
				this.#problem(node.origin, path, `refers to the variable ${variable}, which is not set`, `set ${variable}${fallback}`);
				return undefined;
			}
			case "malformed":
				if (!off) this.#problem(node.origin, path, expansion.message);
				return undefined;
		}
	}

	/** For values of a shape that only the schema knows: variables expanded, nothing else read. */
	#freely(node: SourceNode, path: readonly string[], off: boolean): unknown {
		if (node.kind === "scalar") return this.#scalar(node, "other", path, off) ?? null;
		if (node.kind === "list") return node.items.map((item) => this.#freely(item, path, off));
		return Object.fromEntries([...node.entries].map(([key, entry]) => [key, this.#freely(entry.value, [...path, key], off)]));
	}

	#unknownKey(key: string, path: readonly string[], known: readonly string[], origin: Origin): void {
		const near = nearest(key, known);
		const place = path.length === 0 ? "at the top level" : `in ${path.join(".")}`;
		let hint: string | undefined;
		if (near === undefined) {
			const places = new Set(
				leavesOf(this.#schema).flatMap((leaf) => (leaf.path.includes(key) ? [leaf.path.slice(0, leaf.path.indexOf(key)).join(".")] : [])),
			);
			const [first, second] = [...places].toSorted((left, right) => left.length - right.length);
			const clear = first !== undefined && first !== "" && first.split(".").length !== second?.split(".").length;
			if (clear) hint = `${key} belongs to ${first}`;
			else hint = `known here: ${known.join(", ")}`;
		}
		const suggestion = near === undefined ? "" : `; did you mean "${near}"?`;
		this.problems.push({ origin, key: "", message: `unknown key "${printable(key)}" ${place}${suggestion}`, hint });
	}

	#problem(origin: Origin, path: readonly string[], message: string, hint?: string): void {
		this.failed.add(path.join("."));
		this.problems.push({ origin, key: printable(path.join(".")), message, hint });
	}
}

/** Does the section hold a switch of this name that says false? */
export function isSwitchedOff(section: SourceSection, key: string, variables: Variables): boolean {
	const node = section.entries.get(key)?.value;
	if (node?.kind !== "scalar") return false;
	if (!node.typed) return readBoolean(node.text) === false;
	if (typeof node.value !== "string") return node.value === false;
	const expansion = expand(node.value, variables);
	return expansion.outcome === "expanded" && readBoolean(expansion.text) === false;
}

/** What a value is expected to be, for messages. */
const shapeNames: Readonly<Record<Shape, string>> = {
	section: "a section",
	list: "a list",
	text: "text",
	textOrList: "text or a list",
	number: "a number",
	boolean: "true or false",
	choice: "a word",
	quantity: "a number with a unit",
	other: "another value",
};

/** Text from a variable, a flag or an expansion, read by type. What does not fit stays text, for the schema to refuse. Empty text only counts for text. */
function readText(text: string, shape: Shape): unknown {
	if (shape === "text" || shape === "other") return text;
	const trimmed = text.trim();
	if (trimmed === "") return undefined;
	switch (shape) {
		case "number":
			return /^[-+]?\d{1,15}(\.\d{1,15})?$/.test(trimmed) ? Number(trimmed) : text;
		case "boolean":
			return readBoolean(trimmed) ?? text;
		case "list":
			return splitList(trimmed);
		case "textOrList":
			return trimmed.startsWith("[") || trimmed.includes(",") ? splitList(trimmed) : trimmed;
		default:
			return trimmed;
	}
}

/** The words for a switch outside of YAML, in any case; undefined for any other text. */
export function readBoolean(text: string): boolean | undefined {
	const word = text.trim().toLowerCase();
	if (word === "true" || word === "1" || word === "yes" || word === "on") return true;
	return word === "false" || word === "0" || word === "no" || word === "off" ? false : undefined;
}

/** `a, b` or `[a, b]`; `[]` is the empty list. */
function splitList(text: string): string[] {
	const inner = text.startsWith("[") && text.endsWith("]") ? text.slice(1, -1) : text;
	if (inner.trim() === "") return [];
	return inner.split(",").map((item) => item.trim().replace(/^(["'])(.*)\1$/, "$2"));
}
