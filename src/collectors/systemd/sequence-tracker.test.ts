import { expect, test } from "bun:test";
import { CursorPoint, parseCursor, SequenceTracker } from "./sequence-tracker.ts";

const id = "87ad9140f9f0436cb0f26de0d3bce795";
const other = "00000000000000000000000000000001";
const cursor = (number: string, of = id) => `s=${of};i=${number};b=bdd640fb06671ad11c80317fa3b1799d;m=4c676e;t=63fb1299a5c2e;x=96ce08443c322224`;
const bytes = (text: string) => new TextEncoder().encode(text);

const at = (number: number, of = id, check = 7) => ({ id: of, number, check });

test("CursorPoint.read() agrees with parseCursor()", () => {
	const point = new CursorPoint();
	for (const [number, of] of [
		["1", id],
		["2f", id],
		["493df", id],
		["fffffffffffff", other],
		["a0", id],
	] as const) {
		const text = cursor(number, of);
		point.read(bytes(`${text} and what stood there before`), text.length);
		const parsed = parseCursor(text);
		expect({ id: point.id, number: point.number, check: point.check }).toEqual({
			id: of,
			number: Number.parseInt(number, 16),
			check: parsed?.check ?? -1,
		});
	}
});

test("CursorPoint.read() tells entries of one number apart by their content", () => {
	const [one, two] = ["x=96ce08443c322224", "x=96ce08443c322225"].map((sum) => parseCursor(cursor("1").replace(/x=.*/, sum))?.check);
	expect(one).not.toBe(two);
});

test("parseCursor() refuses what is no cursor", () => {
	expect(parseCursor("")).toBeUndefined();
	expect(parseCursor("s=12;i=3;")).toBeUndefined();
	expect(parseCursor(cursor("10000000000000"))).toBeUndefined();
});

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
