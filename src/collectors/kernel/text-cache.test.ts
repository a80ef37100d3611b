import { expect, test } from "bun:test";
import fc from "fast-check";
import { JsonWriter } from "../../event/json-writer.ts";
import { Memory } from "../../platform/ffi/memory.ts";
import { TextCache } from "./text-cache.ts";

const words = 3;

test("TextCache writes for any words what would have been written without it", () => {
	const key = Memory.allocate(4 * (words + 1));
	const few = fc.constantFrom(0, 1, 2, 128, 31, 0xffffffff);
	fc.assert(
		fc.property(fc.array(fc.tuple(few, few, few), { minLength: 1, maxLength: 200 }), fc.integer({ min: 16, max: 4096 }), (keys, room) => {
			const cache = new TextCache(words);
			const out = new JsonWriter(Memory.allocate(4096));
			for (const values of keys) {
				key.words.set(values, 1);
				const text = values.join("/");
				// Now and then there is no room: nothing may be remembered of half a text.
				out.attach(out.memory, 0, Math.min(room, 4096));
				cache.write(out, key, 4, () => out.ascii(text));
				if (out.overflow) continue;
				expect(Buffer.from(out.memory.bytes.subarray(0, out.position)).toString()).toBe(text);
			}
		}),
		{ numRuns: 200 },
	);
});

test("TextCache formats once what comes again, and never remembers what is too long", () => {
	const cache = new TextCache(1);
	const key = Memory.allocate(8);
	const out = new JsonWriter(Memory.allocate(8192));
	let formatted = 0;
	const write = (length: number) =>
		cache.write(out, key, 0, () => {
			formatted++;
			for (let index = 0; index < length; index++) out.byte(0x61);
		});
	write(10);
	write(10);
	expect([formatted, out.position]).toEqual([1, 20]);
	key.words[0] = 7;
	write(800);
	write(800);
	expect([formatted, out.position]).toEqual([3, 1620]);
});
