import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { kernelCollector } from "./definition.ts";
import { layoutSignatures } from "./layout.gen.ts";
import { programs } from "./programs.ts";

test("programs each have their pair of files, a structure and a number of their own", () => {
	expect(programs.length).toBeGreaterThanOrEqual(3);
	for (const program of programs) {
		for (const ending of [".h", ".bpf.c"]) expect(existsSync(join(import.meta.dir, "../../../bpf", program.object + ending))).toBe(true);
		expect(layoutSignatures[`tapio_${program.object}`]).toStartWith(`${program.bytesMin} `);
		expect(program.variants.length).toBeGreaterThan(0);
	}
	expect(new Set(programs.map(({ type }) => type)).size).toBe(programs.length);
});

test("programs are what the definition announces", () => {
	const announced = kernelCollector.events.map(({ type, description }) => [type, description]);
	for (const { eventType, description } of programs) expect(announced).toContainEqual([eventType, description]);
	expect(announced.length).toBe(programs.length + 1);
});
