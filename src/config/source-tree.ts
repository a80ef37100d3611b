import type { GenericSchema } from "valibot";
import { entriesOf } from "./introspect.ts";

/** Where a value was written: the file and place, the variable, the flag. Lines and columns count from 1; line 0 is the file as a whole. */
export type Origin =
	| { readonly kind: "default"; readonly reason?: string }
	| { readonly kind: "profile"; readonly name: string }
	| { readonly kind: "file"; readonly path: string; readonly line: number; readonly column: number; readonly length: number }
	| { readonly kind: "environment"; readonly variable: string }
	| { readonly kind: "flag"; readonly flag: string };

/** One value as somebody wrote it, not yet read by type. */
export interface SourceScalar {
	readonly kind: "scalar";
	readonly origin: Origin;
	/** As YAML reads it; text for variables and flags. */
	readonly value: string | number | boolean | null;
	/** As it was written, without quotes. */
	readonly text: string;
	/** In a file the text is expanded and YAML has chosen the type; from variables and flags the schema chooses it. */
	readonly typed: boolean;
}

/** A list as somebody wrote it. */
export interface SourceList {
	readonly kind: "list";
	readonly origin: Origin;
	readonly items: readonly SourceNode[];
}

/** A section: keys in the order written. */
export interface SourceSection {
	readonly kind: "section";
	readonly origin: Origin;
	readonly entries: ReadonlyMap<string, SourceEntry>;
}

/** One key with its value. `origin` is where the key stands. */
export interface SourceEntry {
	readonly origin: Origin;
	readonly value: SourceNode;
}

/** Anything that somebody wrote. */
export type SourceNode = SourceScalar | SourceList | SourceSection;

/** A section without keys. */
export function emptySection(origin: Origin): SourceSection {
	return { kind: "section", origin, entries: new Map() };
}

/**
 * Lays one section over another: sections are joined key by key, everything else is replaced. A key without a value leaves what is below. Where one has a
 * section and the other a value, the one that `schema` does not want stays, so that it is refused and not covered up.
 */
export function overlay({ below, above, schema }: { below: SourceSection; above: SourceSection; schema?: GenericSchema | undefined }): SourceSection {
	const entries = new Map(below.entries);
	for (const [key, entry] of above.entries) {
		const under = entries.get(key);
		const wanted = schema === undefined ? undefined : entriesOf(schema)?.[key];
		if (under === undefined || isNothing(under.value)) entries.set(key, entry);
		else if (entry.value.kind === "section" && under.value.kind === "section") {
			entries.set(key, { origin: entry.origin, value: overlay({ below: under.value, above: entry.value, schema: wanted }) });
		} else if (isNothing(entry.value)) continue;
		else {
			const sectionWanted = wanted !== undefined && entriesOf(wanted) !== undefined;
			const wrongBelow = (under.value.kind === "section") !== sectionWanted && (entry.value.kind === "section") === sectionWanted;
			entries.set(key, wrongBelow ? under : entry);
		}
	}
	return { kind: "section", origin: above.origin, entries };
}

/** A key without a value: `key:` alone, or `key: null`. */
export function isNothing(node: SourceNode): boolean {
	return node.kind === "scalar" && node.value === null;
}

/** The section that holds nothing but this value at this path, to be laid over others. */
export function sectionAt(path: readonly string[], text: string, origin: Origin): SourceSection {
	let value: SourceNode = { kind: "scalar", origin, value: text, text, typed: false };
	for (const key of path.toReversed()) value = { kind: "section", origin, entries: new Map([[key, { origin, value }]]) };
	return value.kind === "section" ? value : emptySection(origin);
}

/** The entry at a path, undefined where nobody wrote one. */
export function entryAt(root: SourceSection, path: readonly string[]): SourceEntry | undefined {
	let section: SourceNode = root;
	let entry: SourceEntry | undefined;
	for (const key of path) {
		entry = section.kind === "section" ? section.entries.get(key) : undefined;
		if (entry === undefined) return undefined;
		section = entry.value;
	}
	return entry;
}

/** Where something at a path was written: the value, else the nearest section around it. The path may end in list indices. */
export function originAt(root: SourceSection, path: readonly (string | number)[]): Origin {
	let node: SourceNode = root;
	for (const key of path) {
		const next: SourceNode | undefined =
			node.kind === "section" ? node.entries.get(String(key))?.value : node.kind === "list" ? node.items[Number(key)] : undefined;
		if (next === undefined) break;
		node = next;
	}
	return node.origin;
}

/** An origin in one word or two: `node.yaml:4:3`, `environment NATS_URL`, `flag --node`, `profile high`, `default`. */
export function describeOrigin(origin: Origin): string {
	switch (origin.kind) {
		case "file":
			return origin.line === 0 ? origin.path : `${origin.path}:${origin.line}:${origin.column}`;
		case "environment":
			return `environment ${origin.variable}`;
		case "flag":
			return `flag ${origin.flag}`;
		case "profile":
			return `profile ${origin.name}`;
		case "default":
			return origin.reason === undefined ? "default" : `default, ${origin.reason}`;
	}
}
