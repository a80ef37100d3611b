import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { type Check, projectOfSample } from "./check.ts";
import { importChecks } from "./imports.ts";
import { paperChecks } from "./papers.ts";
import { fileLinesWarn, lineCount, shapeChecks } from "./shape.ts";
import { projectRoot, readProject } from "./tree.ts";
import { wordChecks } from "./words.ts";

const checks: readonly Check[] = [...importChecks, ...wordChecks, ...shapeChecks, ...paperChecks];
const project = readProject();

describe("The house", () => {
	for (const check of checks) {
		test(check.name, () => {
			const { looked, findings } = check.inspect(project);
			if (findings.length > 0) throw new Error(`${findings.length} found:\n  ${findings.join("\n  ")}`);
			// A check that looked at nothing says nothing.
			expect(looked).toBeGreaterThan(0);
		});
	}

	test("Generated files are fresh", async () => {
		const script = join(projectRoot, "scripts/generate.ts");
		expect(existsSync(script)).toBe(true);
		const child = Bun.spawn([process.execPath, script, "--check"], { cwd: projectRoot, stdout: "pipe", stderr: "pipe" });
		const [code, output, errors] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
		expect(code === 0 ? "" : output + errors).toBe("");
		expect(project.files.some(({ path }) => /\.gen\./.test(path))).toBe(true);
	}, 60_000);

	test("Long files are named, before they are too long", () => {
		const long = project.sources.filter(({ text }) => lineCount(text) > fileLinesWarn);
		for (const { path, text } of long) process.stderr.write(`warning: ${path} has ${lineCount(text)} lines, aim at ${fileLinesWarn} and below\n`);
		expect(project.sources.length).toBeGreaterThan(0);
	});
});

describe("The checks", () => {
	for (const check of checks) {
		test(`${check.name}: each breach is found`, () => {
			expect(check.breaches.length).toBeGreaterThan(0);
			const missed = check.breaches.filter((sample) => check.inspect(projectOfSample(sample)).findings.length === 0);
			expect(missed).toEqual([]);
		});

		test(`${check.name}: what keeps the rule passes`, () => {
			const { looked, findings } = check.inspect(projectOfSample(check.kept));
			expect(findings).toEqual([]);
			expect(looked).toBeGreaterThan(0);
		});
	}
});
