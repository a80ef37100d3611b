import { expect, test } from "bun:test";
import fc from "fast-check";
import { EventWriter, eventTemplate } from "../../src/event/event-writer.ts";
import { literal } from "../../src/event/json-writer.ts";
import { Memory } from "../../src/platform/ffi/memory.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });
const template = eventTemplate("/c/n/fuzz", "tapio.fuzz", "info", "fuzz/");
const keys = ["a", "b.c", "ü"].map((name) => literal(`"${name}":`));

/** Bytes as the outside world sends them: text, text with some bytes broken, and noise. */
const bytes = fc.oneof(
	fc.uint8Array({ maxLength: 120 }),
	fc.string({ unit: "binary", maxLength: 60 }).map((text) => new TextEncoder().encode(text)),
	fc.tuple(fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 }), fc.nat(), fc.nat({ max: 255 })).map(([text, at, value]) => {
		const encoded = new TextEncoder().encode(text);
		encoded[at % encoded.length] = value;
		return encoded;
	}),
);
const field = fc.record({ key: fc.nat({ max: keys.length - 1 }), value: bytes, offset: fc.nat({ max: 7 }) });
const event = fc.record({ id: fc.nat(), subject: bytes, metadata: fc.array(field, { maxLength: 4 }), attributes: fc.array(field, { maxLength: 4 }) });

test("EventWriter turns any bytes into a batch that JSON.parse reads, at any size of the batch", () => {
	let whole = 0;
	let refused = 0;
	fc.assert(
		fc.property(fc.array(event, { minLength: 1, maxLength: 6 }), fc.integer({ min: 2, max: 3000 }), (events, room) => {
			const output = Memory.allocate(room + 64);
			output.bytes.fill(0xee);
			const writer = new EventWriter(output);
			// Room for the closing bracket stays, as a lane keeps it.
			writer.attach(output, 0, room - 1);
			let kept = 0;
			writer.byte(0x5b);
			for (const each of events) {
				const from = writer.position;
				if (kept > 0) writer.byte(0x2c);
				const isWhole = writeEvent(writer, each);
				if (isWhole) kept++;
				else writer.attach(output, from, room - 1);
				if (isWhole) whole++;
				else refused++;
			}
			output.bytes[writer.position] = 0x5d;
			const batch: unknown = JSON.parse(decoder.decode(output.bytes.subarray(0, writer.position + 1)));
			expect(Array.isArray(batch) && batch.length).toBe(kept);
			expect(output.bytes.subarray(room).every((byte) => byte === 0xee)).toBe(true);
		}),
		{ numRuns: 3000 },
	);
	expect(whole).toBeGreaterThan(1000);
	expect(refused).toBeGreaterThan(1000);
});

function writeEvent(writer: EventWriter, { id, subject, metadata, attributes }: Fuzzed): boolean {
	writer.begin(template);
	writer.decimal(id);
	writer.time(id, id % 1_000_000, 6);
	writer.subject();
	writer.escapedLossy(memoryOf(subject, 0), 0, subject.length);
	writer.data();
	fields(writer, { id, subject, metadata, attributes });
	return writer.end();
}

interface Fuzzed {
	readonly id: number;
	readonly subject: Uint8Array;
	readonly metadata: readonly { readonly key: number; readonly value: Uint8Array; readonly offset: number }[];
	readonly attributes: Fuzzed["metadata"];
}

function fields(writer: EventWriter, { metadata, attributes }: Fuzzed): void {
	for (const section of ["metadata", "attributes"] as const) {
		writer[section]();
		for (const { key, value, offset } of section === "metadata" ? metadata : attributes) {
			writer.field(keys[key] ?? literal('"x":'));
			writer.byte(0x22);
			writer.escapedLossy(memoryOf(value, offset), offset, value.length);
			writer.byte(0x22);
		}
	}
}

function memoryOf(content: Uint8Array, offset: number): Memory {
	const memory = Memory.allocate(offset + content.length + 8);
	memory.bytes.fill(0x80);
	memory.bytes.set(content, offset);
	return memory;
}
