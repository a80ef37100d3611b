import { expect, test } from "bun:test";
import fc from "fast-check";
import { AssertionError } from "../../src/base/assert.ts";
import { OperatingError } from "../../src/base/errors.ts";
import { Memory } from "../../src/platform/ffi/memory.ts";
import { headerBytes, padding, ringBytes, wordHead, wordTail } from "../../src/ring/layout.ts";
import { RingReader } from "../../src/ring/reader.ts";
import { createRing } from "../../src/ring/ring.ts";
import { RingProducer } from "../../src/ring/writer.ts";

const capacity = 4096;
/** A ring of this capacity holds no more records. A reader that leases more goes round in circles. */
const recordsMax = capacity / 16;

/** Words that are near some border of the arithmetic, and any others. */
const word = fc.oneof(
	fc.constantFrom(
		0,
		1,
		7,
		8,
		16,
		padding,
		padding - 1,
		padding - 7,
		padding - 8,
		2 ** 31,
		2 ** 31 - 8,
		capacity,
		capacity - 8,
		capacity - 7,
		capacity + 8,
	),
	fc.nat({ max: 2 * capacity }),
	fc.nat({ max: 0xffffffff }),
);
/** Where words are put: anywhere in the header or data, or at the positions that matter most. */
const place = fc.oneof(
	fc.nat({ max: ringBytes(capacity) / 4 - 1 }),
	fc.constantFrom(0, 1, 2, 3, wordHead, wordTail, 64, 65),
	fc.nat({ max: 64 }).map((slot) => headerBytes / 4 + slot * 2),
);
const damage = fc.array(fc.tuple(place, word), { minLength: 1, maxLength: 24 });

/** Runs `use`; true where it ended well, false where it refused as it should. Anything else goes on as an error. */
function refuses(use: () => void): boolean {
	try {
		use();
		return true;
	} catch (error) {
		if (error instanceof AssertionError || error instanceof OperatingError) return false;
		throw error;
	}
}

function damagedRing(words: readonly (readonly [number, number])[], records: number): Memory {
	const memory = Memory.allocate(ringBytes(capacity));
	createRing(memory, [capacity, 512]);
	const producer = new RingProducer(memory);
	const writer = producer.writer(0);
	for (let number = 0; number < records; number++) {
		if (writer.reserve(1 + ((number * 13) % 100)) !== -1) writer.submit(number);
	}
	producer.flush();
	for (const [at, value] of words) memory.words[at] = value;
	return memory;
}

test("RingReader refuses a damaged ring, never leaves its memory and never goes round in circles", () => {
	let refused = 0;
	let accepted = 0;
	fc.assert(
		fc.property(damage, fc.nat({ max: 60 }), (words, records) => {
			const memory = damagedRing(words, records);
			const isAccepted = refuses(() => {
				const reader = new RingReader(memory);
				let leased = 0;
				while (reader.lease()) {
					expect(reader.offset).toBeGreaterThanOrEqual(headerBytes);
					expect(reader.length).toBeGreaterThan(0);
					expect(reader.offset + reader.length).toBeLessThanOrEqual(memory.length);
					expect(++leased).toBeLessThanOrEqual(recordsMax);
				}
				reader.commit();
			});
			if (isAccepted) accepted++;
			else refused++;
		}),
		{ numRuns: 20_000 },
	);
	expect(refused).toBeGreaterThan(1000);
	expect(accepted).toBeGreaterThan(1000);
});

test("RingReader refuses data of random bytes", () => {
	fc.assert(
		fc.property(fc.uint8Array({ minLength: 64, maxLength: 512 }), fc.nat({ max: capacity / 8 }), (bytes, filled) => {
			const memory = damagedRing([[wordHead, filled * 8]], 0);
			for (let at = headerBytes; at < memory.length; at += bytes.length) memory.bytes.set(bytes.subarray(0, memory.length - at), at);
			refuses(() => {
				const reader = new RingReader(memory);
				let leased = 0;
				while (reader.lease()) {
					expect(reader.offset + reader.length).toBeLessThanOrEqual(memory.length);
					expect(++leased).toBeLessThanOrEqual(recordsMax);
				}
			});
		}),
		{ numRuns: 3000 },
	);
});

test("RingProducer refuses a damaged ring and writes inside its data only", () => {
	let refused = 0;
	fc.assert(
		fc.property(damage, fc.array(fc.integer({ min: 1, max: 5000 }), { maxLength: 40 }), (words, lengths) => {
			const memory = damagedRing(words, 10);
			const isAccepted = refuses(() => {
				const producer = new RingProducer(memory);
				const writer = producer.writer(0);
				for (const length of lengths) {
					const at = writer.reserve(length);
					if (at === -1) continue;
					expect(at).toBeGreaterThanOrEqual(headerBytes + 8);
					expect(at + length).toBeLessThanOrEqual(memory.length);
					writer.submit();
				}
				producer.flush();
			});
			if (!isAccepted) refused++;
		}),
		{ numRuns: 10_000 },
	);
	expect(refused).toBeGreaterThan(500);
});

test("RingProducer refuses a tail that a damaged consumer moves about under it", () => {
	fc.assert(
		fc.property(fc.array(fc.tuple(word, fc.integer({ min: 1, max: 2000 })), { minLength: 1, maxLength: 50 }), (moves) => {
			const memory = damagedRing([], 5);
			const producer = new RingProducer(memory);
			const writer = producer.writer(0);
			refuses(() => {
				for (const [tail, length] of moves) {
					memory.words[wordTail] = tail;
					expect(producer.fill).toBeLessThanOrEqual(capacity);
					const at = writer.reserve(length);
					if (at === -1) continue;
					expect(at + length).toBeLessThanOrEqual(memory.length);
					writer.submit();
				}
			});
		}),
		{ numRuns: 3000 },
	);
});
