import { expect, test } from "bun:test";
import { configTable, jsonSchemaText, referenceText, replaceBetween } from "../../scripts/generate/config.ts";
import { collectorDefinitions } from "../../src/collectors/registry.ts";
import { keysWithoutEffect } from "../../src/config/checks.ts";
import { namedVariables } from "../../src/config/environment-source.ts";
import { descriptionOf, leavesOf, notesOf, shapeOf } from "../../src/config/introspect.ts";
import { profiles } from "../../src/config/profiles.ts";
import { agentSchema, knownCollectorNames } from "../../src/config/schema.ts";

const leaves = leavesOf(agentSchema(collectorDefinitions));
const keys = leaves.map(({ path }) => path.join("."));

test("agentSchema() documents every key with whole sentences", () => {
	expect(leaves.length).toBeGreaterThan(40);
	for (const { path, schema } of leaves) {
		const documentation = descriptionOf(schema);
		expect([path.join("."), documentation]).toEqual([path.join("."), expect.stringMatching(/^.{5,}[.)]$/)]);
		expect(path.every((key) => /^[a-z][a-z0-9_]*$/.test(key))).toBe(true);
	}
});

test("agentSchema() has a shape that text from the environment can be read by for every key, and a range for every number", () => {
	for (const { path, schema } of leaves) {
		const shape = shapeOf(schema);
		expect([path.join("."), shape]).not.toContain("other");
		if (shape === "number" || shape === "quantity") expect([path.join("."), notesOf(schema).range]).not.toContain(undefined);
	}
});

test("agentSchema() has every key that is named elsewhere", () => {
	expect(keys).toEqual(expect.arrayContaining([...keysWithoutEffect]));
	for (const values of Object.values(profiles)) expect(keys).toEqual(expect.arrayContaining(Object.keys(values)));
	const names: readonly string[] = knownCollectorNames;
	for (const { name } of collectorDefinitions) expect(names).toContain(name);
	for (const [variable, path] of namedVariables) {
		expect(path[0] === "collectors" ? names.includes(path[1] ?? "") : keys.includes(path.join("."))).toBe(true);
		expect(variable).toMatch(/^[A-Z][A-Z0-9_]+$/);
	}
});

test("configTable() and referenceText() hold every key", () => {
	const table = configTable(collectorDefinitions);
	const reference = referenceText(collectorDefinitions);
	for (const { path } of leaves) {
		expect(table).toContain(`| \`${path.join(".")}\` |`);
		expect(reference).toMatch(new RegExp(`^ *(# )?${path.at(-1)}:`, "m"));
	}
	expect(table.split("\n").every((line) => /^\|.*\|.*\|.*\|$/.test(line))).toBe(true);
});

test("jsonSchemaText() refuses unknown keys at every level and describes every section", () => {
	const sections: unknown[] = [JSON.parse(jsonSchemaText(collectorDefinitions))];
	let seen = 0;
	for (let section = sections.pop(); section !== undefined; section = sections.pop()) {
		if (typeof section !== "object" || section === null || !("properties" in section)) continue;
		expect(section).toHaveProperty("additionalProperties", false);
		seen++;
		sections.push(...Object.values(Object(section.properties)));
	}
	expect(seen).toBeGreaterThan(10);
});

test("replaceBetween() replaces what stands between the marks, and nothing without them", () => {
	const text = "a\n<!-- config:begin -->\nold\n<!-- config:end -->\nb\n";
	const once = replaceBetween(text, "config", "new $1");
	expect(once).toBe("a\n<!-- config:begin -->\nnew $1\n<!-- config:end -->\nb\n");
	expect(replaceBetween(once ?? "", "config", "new $1")).toBe(once);
	expect(replaceBetween("no marks", "config", "new")).toBeUndefined();
	expect(replaceBetween("<!-- config:end --><!-- config:begin -->", "config", "new")).toBeUndefined();
});
