import { expect, test } from "bun:test";
import { closeSync } from "node:fs";
import fc from "fast-check";
import { AssertionError } from "../../base/assert.ts";
import { BpfRing, bpfRingBytes, pageBytes } from "./bpf-ring.ts";
import { createMemoryFile, Memory } from "./memory.ts";

const size = pageBytes;
const busy = 0x80000000;
const discarded = 0x40000000;

/** A file laid out as the kernel lays out a ring: a page of the reader's, a page of the kernel's, the data twice. This side plays the kernel. */
class FakeRing implements Disposable {
	readonly ring: BpfRing;
	readonly #memory: Memory;
	#produced: bigint;

	constructor(position: bigint) {
		const length = 2 * pageBytes + 2 * size;
		const descriptor = createMemoryFile("ring", length);
		this.#memory = Memory.map(descriptor, length);
		this.#produced = position;
		this.#setPosition(0, position);
		this.#setPosition(pageBytes, position);
		this.ring = new BpfRing(descriptor, size);
		closeSync(descriptor);
	}

	/** Puts in a record of `payload`; `bits` go into its header. Returns where its header is. */
	put(payload: Uint8Array, bits = 0): number {
		const at = Number(this.#produced % BigInt(size));
		const record = new Uint8Array(8 + payload.length);
		new DataView(record.buffer).setUint32(0, (payload.length | bits) >>> 0, true);
		record.set(payload, 8);
		// The kernel maps the data twice; this file has to be written twice.
		for (const [index, byte] of record.entries()) {
			const place = (at + index) % size;
			this.#memory.bytes[2 * pageBytes + place] = byte;
			this.#memory.bytes[2 * pageBytes + size + place] = byte;
		}
		this.#produced += BigInt((record.length + 7) & ~7);
		this.#setPosition(pageBytes, this.#produced);
		return at;
	}

	/** Clears the busy bit of the record whose header is at `at`. */
	finish(at: number): void {
		for (const copy of [0, size]) this.#memory.bytes[2 * pageBytes + copy + at + 3] = (this.#memory.bytes[2 * pageBytes + copy + at + 3] ?? 0) & 0x7f;
	}

	/** Where the reader says it is. */
	get consumed(): bigint {
		return new BigUint64Array(this.#memory.bytes.buffer, 0, 1)[0] ?? 0n;
	}

	get produced(): bigint {
		return this.#produced;
	}

	[Symbol.dispose](): void {
		this.ring[Symbol.dispose]();
		this.#memory[Symbol.dispose]();
	}

	#setPosition(at: number, position: bigint): void {
		new BigUint64Array(this.#memory.bytes.buffer, at, 1)[0] = position;
	}
}

function takeAll(ring: BpfRing): number[][] {
	const target = Memory.allocate(size);
	const taken: number[][] = [];
	ring.refresh();
	while (ring.lease()) {
		ring.copyTo(target, 8);
		taken.push([...target.bytes.subarray(8, 8 + ring.length)]);
	}
	return taken;
}

test("BpfRing reads what was put in, over the end and past 2^31, 2^32 and 2^52", () => {
	const start = fc.constantFrom(0n, 2n ** 31n - 64n, 2n ** 32n - 64n, 2n ** 52n - 64n);
	const payloads = fc.array(fc.uint8Array({ minLength: 1, maxLength: 200 }), { minLength: 1, maxLength: 12 });
	fc.assert(
		fc.property(start, fc.array(payloads, { minLength: 1, maxLength: 8 }), (position, batches) => {
			using fake = new FakeRing(position);
			for (const batch of batches) {
				for (const payload of batch) fake.put(payload);
				expect(takeAll(fake.ring)).toEqual(batch.map((payload) => [...payload]));
				expect(fake.consumed).not.toBe(fake.produced);
				fake.ring.commit();
				expect(fake.consumed).toBe(fake.produced);
			}
		}),
		{ numRuns: 60 },
	);
});

test("BpfRing stops at a record that is still written, and passes over a discarded one", () => {
	using fake = new FakeRing(0n);
	fake.put(new Uint8Array([1]));
	fake.put(new Uint8Array([2]), discarded);
	const at = fake.put(new Uint8Array([3]), busy);
	fake.put(new Uint8Array([4]));
	expect(takeAll(fake.ring)).toEqual([[1]]);
	fake.ring.commit();
	expect(fake.consumed).toBe(32n);
	fake.finish(at);
	expect(takeAll(fake.ring)).toEqual([[3], [4]]);
});

test("BpfRing unlease() gives the same record again", () => {
	using fake = new FakeRing(0n);
	fake.put(new Uint8Array([1, 2, 3]));
	fake.ring.refresh();
	expect(fake.ring.lease()).toBe(true);
	fake.ring.unlease();
	fake.ring.commit();
	expect(fake.consumed).toBe(0n);
	expect(takeAll(fake.ring)).toEqual([[1, 2, 3]]);
});

test("BpfRing refuses to go on after it was unmapped, and to be of no ring's size", () => {
	const fake = new FakeRing(0n);
	fake.ring[Symbol.dispose]();
	fake.ring[Symbol.dispose]();
	expect(() => fake.ring.refresh()).toThrow(AssertionError);
	expect(() => new BpfRing(0, 1000)).toThrow(AssertionError);
	fake[Symbol.dispose]();
	expect(() => new BpfRing(9999, pageBytes)).toThrow(expect.objectContaining({ code: "mmap" }));
});

test("bpfRingBytes() is the next power of two of whole pages", () => {
	expect(bpfRingBytes(1)).toBe(pageBytes);
	expect(bpfRingBytes(pageBytes + 1)).toBe(2 * pageBytes);
	expect(bpfRingBytes(4_000_000)).toBe(4 * 1024 * 1024);
});
