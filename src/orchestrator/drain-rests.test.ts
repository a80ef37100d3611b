import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type DrainLook, DrainRests } from "./drain-rests.ts";

const nothing: DrainLook = { records: 0, share: 0, cut: false, due: undefined };
const little: DrainLook = { records: 10, share: 0.001, cut: false, due: 50 };
const much: DrainLook = { records: 2048, share: 0.5, cut: false, due: 50 };

describe("DrainRests", () => {
	test("next() is 20 ms where nothing waits, and 30 behind five quiet seconds", () => {
		const rests = new DrainRests();
		const all = Array.from({ length: 300 }, () => rests.next(nothing));
		expect(all[0]).toBe(20);
		expect(all[249]).toBe(20);
		expect(all[250]).toBe(30);
		expect(rests.next({ ...little, due: undefined })).toBe(20);
	});

	test("next() rests until the open batch is due", () => {
		const rests = new DrainRests();
		expect(rests.next(little)).toBe(50);
		expect(rests.next({ ...little, due: 12 })).toBe(12);
		expect(rests.next({ ...little, due: -3 })).toBe(2);
		expect(rests.next({ ...little, due: 10_000 })).toBe(50);
	});

	test("next() does not rest behind a cut", () => {
		expect(new DrainRests().next({ ...little, cut: true })).toBe(0);
	});

	test("next() stays short for 30 ms behind a turn that found much", () => {
		const rests = new DrainRests();
		expect(rests.next(much)).toBe(2);
		const behind = Array.from({ length: 15 }, () => rests.next(little));
		expect(behind).toEqual([...Array.from({ length: 14 }, () => 2), 50]);
	});

	test("next() judges what came by the time in which it came", () => {
		const rests = new DrainRests();
		// As much in 50 ms is no rush, in 20 ms it is one.
		expect(rests.next(little)).toBe(50);
		expect(rests.next({ ...little, share: 1 / 20 })).toBe(50);
		expect(rests.next({ ...little, due: undefined })).toBe(20);
		expect(rests.next({ ...little, share: 1 / 20 })).toBe(2);
	});

	test("next() does not take what a cut left for what came since", () => {
		const rests = new DrainRests();
		expect(rests.next({ ...little, share: 1 / 40, cut: true })).toBe(0);
		expect(rests.next({ ...little, share: 1 / 80 })).toBe(50);
	});

	test("next() never lets a ring fill that grows no more than tenfold from one rest to the next", () => {
		const growths = fc.array(fc.double({ min: 0.1, max: 10, noNaN: true }), { minLength: 1, maxLength: 100 });
		const property = fc.property(growths, (factors) => {
			const rests = new DrainRests();
			// Shares of the ring per millisecond.
			let rate = 1 / 1000;
			let rest = rests.next(nothing);
			for (const factor of factors) {
				rest = rests.next({ ...little, share: Math.min(rate * rest, 1) });
				if (rest > 2) expect(rate * rest * 10).toBeLessThan(1);
				// At the largest rate a ring is full in a busy rest.
				rate = Math.min(rate * factor, 1 / 2);
			}
		});
		fc.assert(property, { numRuns: 1000 });
	});
});
