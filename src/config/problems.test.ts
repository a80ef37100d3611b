import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { configRequest } from "../../test/support/config.ts";
import { expectGolden } from "../../test/support/golden.ts";
import { loadYamlConfig } from "./load.ts";
import { ConfigError, formatProblems, problemsMax } from "./problems.ts";

const folder = join(import.meta.dir, "fixtures");
const fixtures = readdirSync(folder).filter((name) => name.endsWith(".yaml"));

function errorOf(file: string): ConfigError {
	try {
		loadYamlConfig(configRequest({ file }));
	} catch (error) {
		if (error instanceof ConfigError) return error;
		throw error;
	}
	throw new Error("The configuration was accepted");
}

test("formatProblems() has fixtures to format", () => {
	expect(fixtures.length).toBeGreaterThan(4);
});

for (const name of fixtures) {
	test(`formatProblems() explains ${name}`, () => {
		const error = errorOf(readFileSync(join(folder, name), "utf8"));
		const plain = formatProblems(error, { colors: false, excerpts: true, width: 100 });
		expectGolden(join(folder, name.replace(".yaml", ".txt")), plain);
		expect(plain).not.toMatch(/hunter2|t0ken-value|secret-token|another-secret/);
		expect(`${error.message}${error.hint}`).not.toMatch(/hunter2|t0ken-value/);
		expect(/[^\P{Cc}\n]/u.test(plain)).toBe(false);
		const colored = formatProblems(error, { colors: true, excerpts: true, width: 100 });
		expect(colored.replace(/\u001b\[[\d;]*m/g, "")).toBe(plain);
		for (const line of formatProblems(error, { colors: false, excerpts: true, width: 60 }).split("\n")) {
			if (/^\s*\d* \|/.test(line)) expect(line.length).toBeLessThanOrEqual(60);
		}
	});
}

test("formatProblems() keeps the caret under its place in a long line", () => {
	const lead = Array.from({ length: 40 }, (_, index) => `"k${index}": ""`).join(", ");
	const text = formatProblems(errorOf(`orchestrator: { nats: { subject: a, bad_key: 1 }, workers: x } # ${lead}`), {
		colors: false,
		excerpts: true,
		width: 70,
	});
	const lines = text.split("\n");
	const at = lines.findIndex((line) => line.includes("workers expects"));
	const caret = lines[at + 2]?.indexOf("^") ?? -1;
	expect(lines[at + 1]?.[caret]).toBe("x");
});

test("ConfigError says the first problem and counts the rest", () => {
	const error = errorOf("orchestrator: { workers: 0, buffer_size: 0 }");
	expect(error.code).toBe("config_invalid");
	expect(error.message).toBe("Read the configuration: user.yaml:1:26: orchestrator.workers must be at least 1, found 0, and 1 more");
});

test("formatProblems() ends a very long list with a count", () => {
	const keys = Array.from({ length: problemsMax + 7 }, (_, index) => `unknown_key_${index}: 1`).join("\n");
	const text = formatProblems(errorOf(keys), { colors: false, excerpts: false, width: 100 });
	expect(text).toStartWith(`${problemsMax + 7} errors in the configuration\n`);
	expect(text).toEndWith("and 7 more\n");
});
