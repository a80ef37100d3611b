import { expect, test } from "bun:test";
import { CursorPoint, parseCursor, SequenceTracker } from "./sequence-tracker.ts";

const id = "87ad9140f9f0436cb0f26de0d3bce795";
const other = "00000000000000000000000000000001";
const cursor = (number: string, of = id) => `s=${of};i=${number};b=bdd640fb06671ad11c80317fa3b1799d;m=4c676e;t=63fb1299a5c2e;x=96ce08443c322224`;
const bytes = (text: string) => new TextEncoder().encode(text);

test("CursorPoint.read() agrees with parseCursor()", () => {
	const point = new CursorPoint();
	for (const text of [cursor("1"), cursor("2f"), cursor("493df"), cursor("fffffffffffff", other), cursor("a0")]) {
		point.read(bytes(text));
		expect({ id: point.id, number: point.number }).toEqual(parseCursor(text) ?? { id: "", number: -1 });
	}
});

test("parseCursor() refuses what is no cursor", () => {
	expect(parseCursor("")).toBeUndefined();
	expect(parseCursor("s=12;i=3;")).toBeUndefined();
});

test("SequenceTracker.step() counts what is missing within one id", () => {
	const tracker = new SequenceTracker();
	expect(tracker.step(id, 10, true)).toEqual({ repeated: false, lost: 0 });
	expect(tracker.step(id, 11, true)).toEqual({ repeated: false, lost: 0 });
	expect(tracker.step(id, 15, true)).toEqual({ repeated: false, lost: 3 });
	expect(tracker.step(id, 15, true)).toEqual({ repeated: true, lost: 0 });
});

test("SequenceTracker.step() follows interleaved ids apart", () => {
	const tracker = new SequenceTracker();
	tracker.step(id, 10, true);
	tracker.step(other, 500, true);
	expect(tracker.step(id, 11, true).lost).toBe(0);
	expect(tracker.step(other, 502, true).lost).toBe(1);
});

test("SequenceTracker.step() counts nothing under a filter", () => {
	const tracker = new SequenceTracker();
	tracker.step(id, 10, false);
	expect(tracker.step(id, 1000, false)).toEqual({ repeated: false, lost: 0 });
});
