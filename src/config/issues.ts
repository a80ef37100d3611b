import type { BaseIssue, GenericSchema } from "valibot";
import { maskUrl } from "../base/mask.ts";
import { nearest } from "../base/nearest.ts";
import { printable } from "../base/printable.ts";
import { choicesOf, entriesOf, itemOf, notesOf, unwrap } from "./introspect.ts";
import type { Problem } from "./problems.ts";
import type { Resolved } from "./resolve.ts";
import { originAt, type SourceSection } from "./source-tree.ts";

/** What the schema found wrong, in our words and with its place. One problem per key: the first. */
export function issueProblems(issues: readonly BaseIssue<unknown>[], root: SourceSection, schema: GenericSchema, resolved: Resolved): Problem[] {
	const told = new Set(resolved.failed);
	const problems: Problem[] = [];
	for (const issue of issues) {
		const path = (issue.path ?? []).flatMap((item) => (typeof item.key === "string" || typeof item.key === "number" ? [item.key] : []));
		const key = path.join(".");
		if (told.has(key) || told.has(path.filter((part) => typeof part === "string").join("."))) continue;
		told.add(key);
		problems.push({ origin: originAt(root, path), key, ...wording(issue, schemaAt(schema, path)) });
	}
	return problems;
}

function schemaAt(schema: GenericSchema, path: readonly (string | number)[]): GenericSchema {
	let current = schema;
	for (const key of path) {
		const next = typeof key === "number" ? (itemOf(current) ?? current) : entriesOf(current)?.[key];
		if (next === undefined) break;
		current = next;
	}
	return current;
}

const typeNames: Readonly<Record<string, string>> = {
	string: "text",
	number: "a number",
	boolean: "true or false",
	Array: "a list",
	Object: "a section",
	"(string | number)": "a number with a unit",
};

function wording(issue: BaseIssue<unknown>, schema: GenericSchema): { readonly message: string; readonly hint?: string | undefined } {
	const notes = notesOf(schema);
	const found = notes.secret === true ? "" : `, found ${describeValue(issue.input)}`;
	const words = choicesOf(schema);
	if (issue.kind === "schema" && words !== undefined) {
		const near = typeof issue.input === "string" ? nearest(issue.input, words) : undefined;
		return { message: `must be one of ${words.join(", ")}${found}`, hint: near === undefined ? undefined : `did you mean ${near}` };
	}
	if (issue.kind === "schema" && issue.type !== "union") {
		const expected = typeNames[issue.expected ?? ""] ?? issue.expected ?? "another value";
		return { message: `expects ${expected}${found}`, hint: typeHint(issue, unwrap(schema)) };
	}
	if (issue.kind === "schema" && notes.quantity !== undefined) return { message: `expects a ${notes.quantity} with a unit${found}` };
	return { message: `${issue.message}${found}` };
}

/** What people write when they mean something else. */
function typeHint(issue: BaseIssue<unknown>, schema: GenericSchema): string | undefined {
	if (typeof issue.input !== "string") return issue.expected === "string" && typeof issue.input === "boolean" ? "put quotes around it" : undefined;
	if (schema.type === "boolean" && /^(yes|on|no|off)$/i.test(issue.input)) return `write ${/^(yes|on)$/i.test(issue.input)}`;
	if (schema.type === "number" && /^\d+$/.test(issue.input)) return "remove the quotes";
	if (schema.type === "array") return `write [${printable(issue.input)}]`;
	return undefined;
}

/** Characters of a value that a message shows. */
const shownMax = 60;

function describeValue(value: unknown): string {
	if (typeof value === "string") {
		const clean = printable(maskUrl(value));
		return `"${clean.length > shownMax ? `${clean.slice(0, shownMax)}…` : clean}"`;
	}
	if (typeof value === "number" || typeof value === "boolean") return String(value);
	if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
	return value === null || value === undefined ? "nothing" : "a section";
}
