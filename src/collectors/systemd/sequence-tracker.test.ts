import { expect, test } from "bun:test";
import { SequenceTracker } from "./sequence-tracker.ts";

const id = "87ad9140f9f0436cb0f26de0d3bce795";
const other = "00000000000000000000000000000001";
const at = (number: number, of = id, check = 7) => ({ id: of, number, check });

test("SequenceTracker.step() counts what is missing within one id", () => {
	const tracker = new SequenceTracker();
	expect(tracker.knows(id)).toBe(false);
	expect(tracker.step(at(10), true)).toEqual({ repeated: false, lost: 0 });
	expect(tracker.knows(id)).toBe(true);
	expect(tracker.step(at(11), true)).toEqual({ repeated: false, lost: 0 });
	expect(tracker.step(at(15), true)).toEqual({ repeated: false, lost: 3 });
	expect(tracker.step(at(15), true)).toEqual({ repeated: true, lost: 0 });
	expect(tracker.step(at(16), true)).toEqual({ repeated: false, lost: 0 });
});

test("SequenceTracker.step() takes two entries of one number for two", () => {
	const tracker = new SequenceTracker();
	tracker.step(at(10), true);
	expect(tracker.step(at(10, id, 8), true)).toEqual({ repeated: false, lost: 0 });
});

test("SequenceTracker.step() counts nothing where numbers go back", () => {
	const tracker = new SequenceTracker();
	tracker.step(at(10), true);
	expect(tracker.step(at(3), true)).toEqual({ repeated: false, lost: 0 });
	expect(tracker.step(at(4), true)).toEqual({ repeated: false, lost: 0 });
});

test("SequenceTracker.step() follows interleaved ids apart", () => {
	const tracker = new SequenceTracker();
	tracker.step(at(10), true);
	tracker.step(at(500, other), true);
	expect(tracker.step(at(11), true).lost).toBe(0);
	expect(tracker.step(at(502, other), true).lost).toBe(1);
	expect(tracker.step(at(502, other), true).repeated).toBe(true);
	expect(tracker.step(at(11), true).repeated).toBe(true);
});

test("SequenceTracker.step() forgets the id seen longest ago beyond its limit", () => {
	const tracker = new SequenceTracker();
	const name = (index: number) => index.toString(16).padStart(32, "0");
	for (let index = 1; index <= 300; index++) tracker.step(at(1, name(index)), true);
	expect(tracker.knows(name(1))).toBe(false);
	expect(tracker.knows(name(300))).toBe(true);
	expect(tracker.step(at(50, name(1)), true).lost).toBe(0);
});

test("SequenceTracker.step() counts nothing under a filter", () => {
	const tracker = new SequenceTracker();
	tracker.step(at(10), false);
	expect(tracker.step(at(1000), false)).toEqual({ repeated: false, lost: 0 });
});
