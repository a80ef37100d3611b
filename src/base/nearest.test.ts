import { expect, test } from "bun:test";
import fc from "fast-check";
import { editDistance, nearest } from "./nearest.ts";

test("nearest() forgives slips, case and the shape of a name", () => {
	const keys = ["workers", "buffer_size", "log_level", "nats"];
	expect(nearest("wrokers", keys)).toBe("workers");
	expect(nearest("bufferSize", keys)).toBe("buffer_size");
	expect(nearest("log-level", keys)).toBe("log_level");
	expect(nearest("nat", keys)).toBe("nats");
});

test("nearest() knows nothing for a word that resembles nothing", () => {
	expect(nearest("zzz", ["workers", "nats"])).toBeUndefined();
	expect(nearest("", ["workers"])).toBeUndefined();
	expect(nearest("x".repeat(1000), ["x".repeat(999)])).toBeUndefined();
	expect(nearest("a", [])).toBeUndefined();
});

test("editDistance() counts a swap once", () => {
	expect(editDistance("ab", "ba")).toBe(1);
	expect(editDistance("kitten", "sitting")).toBe(3);
});

test("editDistance() is symmetric, and 0 for equal words alone", () => {
	const word = fc.stringMatching(/^[a-d]{0,8}$/);
	fc.assert(
		fc.property(word, word, (left, right) => {
			expect(editDistance(left, right)).toBe(editDistance(right, left));
			expect(editDistance(left, right) === 0).toBe(left === right);
			expect(editDistance(left, right)).toBeLessThanOrEqual(Math.max(left.length, right.length));
		}),
	);
});
