import { expect, test } from "bun:test";
import fc from "fast-check";
import { bytesOfLines, eventLines } from "./event-lines.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const linesOf = (text: string) => decode(eventLines(encode(text), encode(text).length));

test("eventLines() copies each event byte for byte", () => {
	expect(linesOf('[{"a":1.10,"b":"}],{"},{"c":[1,[2],{"d":"\\"],["}]}]')).toBe('{"a":1.10,"b":"}],{"}\n{"c":[1,[2],{"d":"\\"],["}]}\n');
	expect(linesOf('[{"a":"\\\\"},{"a":"\\\\\\""}]')).toBe('{"a":"\\\\"}\n{"a":"\\\\\\""}\n');
	expect(linesOf("[]")).toBe("");
});

test("eventLines() keeps an event on one line, however it was laid out", () => {
	expect(linesOf('[{"a":\r\n[1,\n2]},\n{"b":1}]')).toBe('{"a":  [1, 2]}\n {"b":1}\n');
});

test("eventLines() leaves the batch unchanged, and what lies behind it", () => {
	const batch = encode('[{"a":1},{"b":2}]garbage');
	const before = decode(batch);
	expect(decode(eventLines(batch, 17))).toBe('{"a":1}\n{"b":2}\n');
	expect(decode(batch)).toBe(before);
});

test("eventLines() splits every array of objects as JSON does", () => {
	const events = fc.array(fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue()), { minLength: 1 });
	fc.assert(
		fc.property(events, (list) => {
			const lines = linesOf(JSON.stringify(list));
			expect(lines).toBe(list.map((event) => `${JSON.stringify(event)}\n`).join(""));
		}),
	);
});

test("eventLines() refuses what is no array", () => {
	expect(() => linesOf('{"a":1}')).toThrow("A batch begins and ends as an array");
	expect(() => linesOf('[{"a":1]')).toThrow("The events of a batch are whole");
});

test("bytesOfLines() counts whole lines", () => {
	const lines = encode("ab\nc\n\nd\n");
	expect([0, 1, 2, 3, 4, 5].map((count) => bytesOfLines(lines, count))).toEqual([0, 3, 5, 6, 8, 8]);
});
