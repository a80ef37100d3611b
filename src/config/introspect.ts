import * as v from "valibot";
import type { FieldNotes } from "./fields.ts";

type Section = v.StrictObjectSchema<Record<string, v.GenericSchema>, undefined>;
type List = v.ArraySchema<v.GenericSchema, undefined>;
type Choice = v.PicklistSchema<readonly string[], undefined>;
type Optional = v.OptionalSchema<v.GenericSchema, unknown>;

/** How a schema wants its value read. `other`: as YAML read it. */
export type Shape = "section" | "list" | "text" | "textOrList" | "number" | "boolean" | "choice" | "quantity" | "other";

/** The schema inside `optional`. */
export function unwrap(schema: v.GenericSchema): v.GenericSchema {
	return isOptional(schema) ? unwrap(schema.wrapped) : schema;
}

/** The default of a key as it is written in a file; undefined where it has none. */
export function defaultOf(schema: v.GenericSchema): unknown {
	return isOptional(schema) ? v.getDefault(schema) : undefined;
}

/** The sentence about a key, "" where it has none. */
export function descriptionOf(schema: v.GenericSchema): string {
	return v.getDescription(unwrap(schema)) ?? "";
}

/** What a key is beside its type. */
export function notesOf(schema: v.GenericSchema): FieldNotes {
	return v.getMetadata(unwrap(schema));
}

/** The keys of a section, in the order of the documentation; undefined for anything else. */
export function entriesOf(schema: v.GenericSchema): Readonly<Record<string, v.GenericSchema>> | undefined {
	const inner = unwrap(schema);
	return isSection(inner) ? inner.entries : undefined;
}

/** The words that a choice allows; undefined for anything else. */
export function choicesOf(schema: v.GenericSchema): readonly string[] | undefined {
	const inner = unwrap(schema);
	return isChoice(inner) ? inner.options : undefined;
}

/** The schema of the elements of a list. */
export function itemOf(schema: v.GenericSchema): v.GenericSchema | undefined {
	const inner = unwrap(schema);
	return isList(inner) ? inner.item : undefined;
}

/** How values of this schema are read. */
export function shapeOf(schema: v.GenericSchema): Shape {
	const inner = unwrap(schema);
	if (isSection(inner)) return "section";
	if (isList(inner)) return "list";
	if (isChoice(inner)) return "choice";
	if (notesOf(inner).quantity !== undefined) return "quantity";
	if (notesOf(inner).url === true && inner.type === "union") return "textOrList";
	if (inner.type === "string") return "text";
	if (inner.type === "number") return "number";
	return inner.type === "boolean" ? "boolean" : "other";
}

/** One key at the end of a path. */
export interface Leaf {
	readonly path: readonly string[];
	readonly schema: v.GenericSchema;
}

/** Every key that holds a value, in the order of the documentation. */
export function leavesOf(schema: v.GenericSchema, path: readonly string[] = []): Leaf[] {
	const entries = entriesOf(schema);
	if (entries === undefined) return [{ path, schema }];
	return Object.entries(entries).flatMap(([key, entry]) => leavesOf(entry, [...path, key]));
}

/** The part of plain data at a path; undefined where there is none. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
	let current = value;
	for (const key of path) {
		if (typeof current !== "object" || current === null) return undefined;
		const entry = Object.entries(current).find(([name]) => name === key);
		current = entry?.[1];
	}
	return current;
}

function isOptional(schema: v.GenericSchema): schema is Optional {
	return schema.type === "optional";
}

function isSection(schema: v.GenericSchema): schema is Section {
	return schema.type === "strict_object";
}

function isList(schema: v.GenericSchema): schema is List {
	return schema.type === "array";
}

function isChoice(schema: v.GenericSchema): schema is Choice {
	return schema.type === "picklist";
}
