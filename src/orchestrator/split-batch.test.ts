import { expect, test } from "bun:test";
import fc from "fast-check";
import { elementsOf, splitBatch } from "./split-batch.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

const events = fc.array(fc.record({ id: fc.string({ unit: "grapheme" }), data: fc.record({ raw: fc.jsonValue() }) }), {
	minLength: 1,
	maxLength: 12,
});

test("elementsOf() finds the borders of any events, whatever texts hold", () => {
	fc.assert(
		fc.property(events, (list) => {
			const texts = elementsOf(encoder.encode(JSON.stringify(list))).map((element) => decoder.decode(element));
			expect(texts).toEqual(list.map((event) => JSON.stringify(event)));
		}),
	);
	expect(elementsOf(encoder.encode("[]"))).toEqual([]);
});

test("elementsOf() refuses what is no array", () => {
	expect(() => elementsOf(encoder.encode("{}"))).toThrow("A batch is an array");
});

test("splitBatch() keeps every event, in order, in parts that fit", () => {
	fc.assert(
		fc.property(events, fc.integer({ min: 40, max: 400 }), (list, bytesMax) => {
			const whole = encoder.encode(JSON.stringify(list));
			const { parts, tooLarge } = splitBatch(whole, bytesMax);
			let through = 0;
			for (const part of parts) {
				expect(part.text.length).toBeLessThanOrEqual(bytesMax);
				const held: { id: string; truncated?: boolean }[] = JSON.parse(decoder.decode(part.text));
				expect(held.length).toBe(part.count);
				expect(held.filter(({ truncated }) => truncated === true).length).toBe(part.truncated);
				expect(part.through).toBeGreaterThanOrEqual(through + part.count);
				through = part.through;
			}
			expect(parts.reduce((sum, { count }) => sum + count, 0) + tooLarge).toBe(list.length);
			const ids = parts.flatMap(({ text }) => JSON.parse(decoder.decode(text)).map(({ id }: { id: string }) => id));
			const small = list.filter((event) => encoder.encode(JSON.stringify(event)).length + 2 <= bytesMax).map(({ id }) => id);
			expect(ids.filter((id) => small.includes(id)).length).toBeGreaterThanOrEqual(small.length);
		}),
	);
});

test("splitBatch() fills the parts: two neighbours never fit into one", () => {
	fc.assert(
		fc.property(events, (list) => {
			const whole = encoder.encode(JSON.stringify(list));
			const bytesMax = Math.max(200, Math.ceil(whole.length / 2));
			const { parts } = splitBatch(whole, bytesMax);
			for (const [index, part] of parts.entries()) {
				const next = parts[index + 1];
				if (next === undefined) continue;
				const first = elementsOf(next.text)[0];
				expect(part.text.length + (first?.length ?? 0) + 1).toBeGreaterThan(bytesMax);
			}
		}),
	);
});

test("splitBatch() cuts what is larger by itself, and counts what cannot be cut", () => {
	const long = { id: "long", data: { raw: { MESSAGE: "x".repeat(5000) } } };
	const stubborn = { id: "y".repeat(3000), data: {} };
	const { parts, tooLarge } = splitBatch(encoder.encode(JSON.stringify([{ id: "a", data: {} }, long, stubborn, { id: "b", data: {} }])), 1000);
	expect(tooLarge).toBe(1);
	expect(parts.reduce((sum, { truncated }) => sum + truncated, 0)).toBe(1);
	expect(parts.at(-1)?.through).toBe(4);
	const ids = parts.flatMap(({ text }) => JSON.parse(decoder.decode(text)).map(({ id }: { id: string }) => id));
	expect(ids).toEqual(["a", "long", "b"]);
});
