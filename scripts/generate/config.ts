import { toJsonSchema } from "@valibot/to-json-schema";
import type { GenericSchema } from "valibot";
import { keysWithoutEffect } from "../../src/config/checks.ts";
import { namedVariables } from "../../src/config/environment-source.ts";
import type { FieldNotes } from "../../src/config/fields.ts";
import { choicesOf, defaultOf, descriptionOf, entriesOf, leavesOf, notesOf, shapeOf } from "../../src/config/introspect.ts";
import { agentSchema, type CollectorSection, knownCollectorNames } from "../../src/config/schema.ts";

/** A part of a JSON Schema. */
interface Json {
	[key: string]: unknown;
}

/** The JSON Schema of a configuration file, for editors. */
export function jsonSchemaText(collectors: readonly CollectorSection[]): string {
	const schema = agentSchema(collectors);
	const json: Json = { ...toJsonSchema(schema, { typeMode: "input", errorMode: "ignore" }) };
	const refined: Json = { $schema: json["$schema"], title: "Configuration of tapio-agent", ...refine(json, schema, []) };
	const sections = partOf(partOf(partOf(refined, "properties"), "collectors"), "properties");
	for (const name of knownCollectorNames) {
		// A file may switch off what this build does not have.
		sections[name] ??= {
			type: "object",
			description: `The collector ${name} is not part of this build.`,
			properties: { enabled: { const: false }, config: {} },
			required: ["enabled"],
			additionalProperties: false,
		};
	}
	return `${JSON.stringify(refined, undefined, 2)}\n`;
}

/** Text that the agent expands before it is read by type. */
const reference: Json = { type: "string", pattern: "\\$\\{" };
const patterns = {
	size: "^(0|\\d+(\\.\\d{1,3})?\\s*([kKmMgGtT][iI]?[bB]|[bB]))$",
	duration: "^(0|(\\d+(\\.\\d{1,3})?(ms|[dhms]))+)$",
} as const;

/** A section with what the schema library cannot say: units, `${…}` in place of a value, and keys without a value. */
function refine(json: Json, schema: GenericSchema, path: readonly string[]): Json {
	const properties = { ...partOf(json, "properties") };
	for (const [key, entry] of Object.entries(entriesOf(schema) ?? {})) {
		const property = partOf(properties, key);
		const place = [...path, key];
		const isSection = shapeOf(entry) === "section";
		properties[key] = isSection ? { ...refine(property, entry, place), type: ["object", "null"] } : refineLeaf(property, entry, place.join("."));
	}
	const description = descriptionOf(schema);
	return { type: "object", ...(description === "" ? {} : { description }), properties, additionalProperties: false };
}

/** Our notes, which the library copies. */
const notes: ReadonlySet<string> = new Set<keyof FieldNotes>(["secret", "url", "quantity", "situation", "range"]);

function refineLeaf(json: Json, schema: GenericSchema, key: string): Json {
	const type = Object.fromEntries(Object.entries(json).filter(([key]) => key !== "description" && key !== "default" && !notes.has(key)));
	const { quantity } = notesOf(schema);
	const description = [descriptionOf(schema), allowed(schema, key)].filter((part) => part !== "").join(" ");
	const about = "default" in json ? { description, default: json["default"] } : { description };
	if (quantity !== undefined) return { ...about, anyOf: [{ type: "string", pattern: patterns[quantity] }, { const: 0 }, reference] };
	return shapeOf(schema) === "text" && !("pattern" in type) ? { ...about, ...type } : { ...about, anyOf: [type, reference] };
}

function partOf(json: Json, key: string): Json {
	const part = json[key];
	return isJson(part) ? part : {};
}

function isJson(value: unknown): value is Json {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Widest line of a comment. */
const commentWidth = 110;

/** Every key with its default and its documentation, as a file that is right by itself. */
export function referenceText(collectors: readonly CollectorSection[]): string {
	const intro = [
		"Every key of the configuration with its default. This file is generated: copy what you need, and leave out what may stay as it is.",
		`Sizes and durations have units: 512KiB, 100MB, 10GiB; 50ms, 30s, 1h30m. \${NAME} and \${NAME:-default} stand for variables of the environment, $$ for a plain $.`,
		"Keys without a fixed default are commented out.",
	];
	return `${intro.flatMap((line) => comment(line, "")).join("\n")}\n${sectionText(agentSchema(collectors), [])}`;
}

function sectionText(schema: GenericSchema, path: readonly string[]): string {
	const indent = "  ".repeat(path.length);
	let text = "";
	for (const [key, entry] of Object.entries(entriesOf(schema) ?? {})) {
		const isSection = shapeOf(entry) === "section";
		const documentation = [descriptionOf(entry), isSection ? "" : allowed(entry, [...path, key].join("."))].filter((part) => part !== "").join(" ");
		if (isSection || path.length === 0) text += "\n";
		if (documentation !== "") text += `${comment(documentation, indent).join("\n")}\n`;
		if (isSection) text += `${indent}${key}:\n${sectionText(entry, [...path, key])}`;
		else {
			const fallback = defaultOf(entry);
			text += fallback === undefined ? `${indent}# ${key}:\n` : `${indent}${key}: ${yamlValue(fallback)}\n`;
		}
	}
	return text;
}

function comment(text: string, indent: string): string[] {
	const lines: string[] = [];
	let line = "";
	for (const word of text.split(" ")) {
		if (line !== "" && indent.length + 2 + line.length + 1 + word.length > commentWidth) {
			lines.push(`${indent}# ${line}`);
			line = word;
		} else line = line === "" ? word : `${line} ${word}`;
	}
	return [...lines, `${indent}# ${line}`];
}

/** What a key may be, and what it is without a value where no fixed default says so. */
function allowed(schema: GenericSchema, key: string): string {
	const { range, situation } = notesOf(schema);
	const words = choicesOf(schema);
	const parts: string[] = [];
	if (words !== undefined) parts.push(`One of ${words.join(", ")}.`);
	if (range !== undefined) parts.push(`${range}.`);
	if (situation !== undefined) parts.push(`Default: ${situation}.`);
	if (keysWithoutEffect.includes(key)) parts.push("Has no effect in this build.");
	return parts.join(" ");
}

function yamlValue(value: unknown): string {
	if (Array.isArray(value)) return `[${value.map(yamlValue).join(", ")}]`;
	if (typeof value !== "string") return JSON.stringify(value);
	return /^[A-Za-z0-9/][\w./:-]*$/.test(value) ? value : JSON.stringify(value);
}

/** The table for the README: every key with its default and its meaning. */
export function configTable(collectors: readonly CollectorSection[]): string {
	const rows = leavesOf(agentSchema(collectors)).map(({ path, schema }) => {
		const key = path.join(".");
		const fallback = defaultOf(schema);
		const { situation } = notesOf(schema);
		const shown = fallback === undefined || (fallback === "" && situation !== undefined) ? "" : `\`${yamlValue(fallback)}\``;
		const variable = namedVariables.find(([, of]) => of.join(".") === key)?.[0];
		const documentation = [descriptionOf(schema), allowed(schema, key)].filter((part) => part !== "").join(" ");
		const also = variable === undefined || documentation.includes(variable) ? "" : ` Variable: ${variable}.`;
		return `| \`${key}\` | ${shown} | ${`${documentation}${also}`.replaceAll("|", "\\|")} |`;
	});
	return ["| Key | Default | Meaning |", "|---|---|---|", ...rows].join("\n");
}

/** The text with what stands between `<!-- name:begin -->` and `<!-- name:end -->` replaced; undefined where there are no such marks. */
export function replaceBetween(text: string, name: string, content: string): string | undefined {
	const [begin, end] = [`<!-- ${name}:begin -->`, `<!-- ${name}:end -->`];
	const [from, to] = [text.indexOf(begin), text.indexOf(end)];
	if (from < 0 || to < from) return undefined;
	return `${text.slice(0, from + begin.length)}\n${content}\n${text.slice(to)}`;
}
