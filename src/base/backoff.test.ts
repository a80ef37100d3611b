import { expect, test } from "bun:test";
import fc from "fast-check";
import { backoffMs } from "./backoff.ts";

test("backoffMs() doubles from the least to the most", () => {
	const most = () => 1;
	expect([1, 2, 3, 4, 5, 6].map((failures) => backoffMs(failures, 100, 1000, most))).toEqual([100, 200, 400, 800, 1000, 1000]);
});

test("backoffMs() leaves the upper half to chance and never exceeds the most", () => {
	fc.assert(
		fc.property(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 1, max: 1e4 }), fc.integer({ min: 0, max: 1e6 }), (failures, min, more) => {
			const range = [() => 0, () => 0.999].map((random) => backoffMs(failures, min, min + more, random));
			expect(range[0]).toBeGreaterThanOrEqual(min / 2);
			expect(range[1]).toBeLessThanOrEqual(min + more);
			expect(range[1]).toBeGreaterThan(range[0] ?? 0);
		}),
	);
});

test("backoffMs() refuses to wait for no failure, and bounds out of order", () => {
	expect(() => backoffMs(0, 1, 2, () => 0)).toThrow("There was a failure");
	expect(() => backoffMs(1, 2, 1, () => 0)).toThrow("The bounds are in order");
});
