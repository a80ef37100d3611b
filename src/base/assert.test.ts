import { expect, test } from "bun:test";
import { AssertionError, assert, never, neverCounts, unreachable } from "./assert.ts";

test("assert() passes what is true and throws its message otherwise", () => {
	assert(true, "fine");
	expect(() => assert(false, "The head is ahead of the tail")).toThrow(new AssertionError("The head is ahead of the tail"));
});

test("AssertionError names itself, so that a log tells our defects from the world's", () => {
	const error = new AssertionError("x");
	expect(error).toBeInstanceOf(Error);
	expect(error.name).toBe("AssertionError");
});

test("never() returns its condition and counts only what happened", () => {
	expect(never(false, "assert.test: not so")).toBe(false);
	expect(never(true, "assert.test: so")).toBe(true);
	expect(never(true, "assert.test: so")).toBe(true);
	expect(neverCounts().get("assert.test: not so")).toBeUndefined();
	expect(neverCounts().get("assert.test: so")).toBe(2);
});

test("never() holds a bounded number of messages and still counts the rest", () => {
	for (let index = 0; index < 1000; index++) never(true, `assert.test: message ${index}`);
	expect(neverCounts().size).toBeLessThanOrEqual(257);
	const rest = neverCounts().get("other") ?? 0;
	expect(rest).toBeGreaterThan(700);
	never(true, "assert.test: one more");
	expect(neverCounts().get("other")).toBe(rest + 1);
	// What is known already keeps its own count.
	never(true, "assert.test: message 0");
	expect(neverCounts().get("assert.test: message 0")).toBe(2);
});

test("unreachable() names the value that should not be", () => {
	const kinds: readonly ("a" | "b")[] = JSON.parse('["c"]');
	const describe = (kind: "a" | "b") => {
		switch (kind) {
			case "a":
			case "b":
				return kind;
			default:
				return unreachable(kind);
		}
	};
	expect(() => kinds.map(describe)).toThrow("Unreachable value c");
});
