// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these texts are what is tested
import { expect, test } from "bun:test";
import fc from "fast-check";
import { expand } from "./expand.ts";

const variables = { HOST: "example", EMPTY: "", NESTED: "${HOST}", DOLLARS: "$$" };

test("expand() replaces variables and defaults", () => {
	const cases: [string, string][] = [
		["${HOST}", "example"],
		["nats://${HOST}:4222", "nats://example:4222"],
		["${MISSING:-default}", "default"],
		["${EMPTY:-default}", "default"],
		["${EMPTY}", ""],
		["${MISSING:-}", ""],
		["${MISSING:-nats://localhost:4222}", "nats://localhost:4222"],
		["${HOST}${HOST}", "exampleexample"],
	];
	for (const [text, expected] of cases) expect(expand(text, variables)).toEqual({ outcome: "expanded", text: expected });
});

test("expand() happens once: what a variable holds is not read again", () => {
	expect(expand("${NESTED}", variables)).toEqual({ outcome: "expanded", text: "${HOST}" });
	expect(expand("${DOLLARS}", variables)).toEqual({ outcome: "expanded", text: "$$" });
});

test("expand() makes $$ a dollar, and leaves every other one alone", () => {
	expect(expand("$$", variables)).toEqual({ outcome: "expanded", text: "$" });
	expect(expand("$${HOST}", variables)).toEqual({ outcome: "expanded", text: "${HOST}" });
	expect(expand("pa$word$1 $HOST", variables)).toEqual({ outcome: "unchanged" });
});

test("expand() names the first variable that is not set", () => {
	expect(expand("${HOST}-${GONE}-${LOST}", variables)).toEqual({ outcome: "unset", variable: "GONE" });
	expect(expand("${constructor}", variables)).toEqual({ outcome: "unset", variable: "constructor" });
});

test("expand() refuses what only looks like a variable", () => {
	for (const text of ["${", "${HOST", "${1}", "${HOST:?x}", "${HO ST}", "${A:-${B}}", "${}"])
		expect(expand(text, variables).outcome).toBe("malformed");
});

test("expand() gives back any text whose dollars are doubled", () => {
	fc.assert(
		fc.property(fc.string({ unit: fc.constantFrom("$", "{", "}", "A", ":", "-", " ") }), (text) => {
			const expansion = expand(text.replaceAll("$", "$$$$"), {});
			expect(expansion).toEqual(text.includes("$") ? { outcome: "expanded", text } : { outcome: "unchanged" });
		}),
	);
});
