import { expect, test } from "bun:test";
import { AssertionError } from "../../src/base/assert.ts";
import { OperatingError } from "../../src/base/errors.ts";
import type { Memory } from "../../src/platform/ffi/memory.ts";
import { quotaStride, ringBytes, wordHead, wordReleased, wordTail } from "../../src/ring/layout.ts";
import { RingReader } from "../../src/ring/reader.ts";
import { createRing, ringCapacity } from "../../src/ring/ring.ts";
import { RingTrimmer } from "../../src/ring/trimmer.ts";
import { counterOwn, counterReceived, counterRingFull, RingProducer, setControl } from "../../src/ring/writer.ts";

/** Two views of the same new, zeroed memory, as the two sides of a ring hold it. */
export interface RingMemory extends Disposable {
	readonly producer: Memory;
	readonly consumer: Memory;
}

/** The cases that a ring passes over every kind of memory. `open` gives memory of a length. */
export function ringContract(kind: string, open: (length: number) => RingMemory): void {
	test(`RingReader over ${kind}: leases nothing before a flush, and everything in order after it`, () => {
		using memory = open(ringBytes(4096));
		const { producer, reader } = sides(memory, [4096]);
		const writer = producer.writer(0);
		for (let number = 1; number <= 3; number++) {
			const at = writer.reserve(number);
			writer.memory.bytes.fill(number, at, at + number);
			writer.submit(number);
		}
		expect(reader.lease()).toBe(false);
		producer.flush();
		expect(reader.fill).toBe(48);
		for (let number = 1; number <= 3; number++) {
			expect(reader.lease()).toBe(true);
			expect([reader.kind, reader.length, reader.memory.bytes[reader.offset + number - 1]]).toEqual([number, number, number]);
		}
		expect(reader.lease()).toBe(false);
		expect(producer.fill).toBe(48);
		reader.commit();
		expect(producer.fill).toBe(0);
	});

	test(`RecordWriter.reserve() over ${kind}: drops the newest and counts it, until the reader commits`, () => {
		using memory = open(ringBytes(4096));
		const { producer, reader } = sides(memory, [4096]);
		const writer = producer.writer(0);
		let written = 0;
		while (writer.hasRoom(56)) {
			expect(writer.reserve(56)).toBeGreaterThan(0);
			writer.submit();
			written++;
		}
		expect(written).toBe(64);
		expect(writer.reserve(56)).toBe(-1);
		producer.flush();
		while (reader.lease());
		expect(writer.reserve(1)).toBe(-1);
		expect([reader.counter(0, counterReceived), reader.counter(0, counterRingFull)]).toEqual([66, 2]);
		reader.commit();
		expect(writer.hasRoom(56)).toBe(true);
	});

	test(`RecordWriter.reserve() over ${kind}: a noisy collector leaves the others their quota`, () => {
		using memory = open(ringBytes(4096));
		const { producer } = sides(memory, [2048, 2048]);
		const [noisy, quiet] = [producer.writer(0), producer.writer(1)];
		for (let round = 0; round < 100; round++) {
			if (noisy.reserve(120) !== -1) noisy.submit();
		}
		expect(quiet.hasRoom(120)).toBe(true);
		expect(noisy.hasRoom(120)).toBe(false);
	});

	test(`RecordWriter.lengthMax over ${kind}: finds room in an empty ring wherever the head stands`, () => {
		using memory = open(ringBytes(4096));
		const { producer, reader } = sides(memory, [4096]);
		const writer = producer.writer(0);
		expect(writer.lengthMax).toBe(2040);
		for (let step = 0; step < 1200; step++) {
			expect(writer.reserve(writer.lengthMax)).not.toBe(-1);
			writer.submit();
			expect(writer.reserve(8)).not.toBe(-1);
			writer.submit();
			producer.flush();
			while (reader.lease());
			reader.commit();
		}
		expect(writer.reserve(writer.lengthMax + 1)).toBe(-1);
		expect(writer.reserve(2 ** 31 - 8)).toBe(-1);
		expect(writer.reserve(2 ** 32)).toBe(-1);
		expect(reader.counter(0, counterRingFull)).toBe(3);
	});

	test(`RingReader.unlease() over ${kind}: gives the same record again, and only the last one`, () => {
		using memory = open(ringBytes(4096));
		const { producer, reader } = sides(memory, [4096]);
		const writer = producer.writer(0);
		for (const byte of [1, 2]) {
			writer.memory.bytes[writer.reserve(1)] = byte;
			writer.submit();
		}
		producer.flush();
		expect(reader.lease() && reader.lease()).toBe(true);
		reader.unlease();
		expect(() => reader.unlease()).toThrow(AssertionError);
		reader.commit();
		expect(() => reader.unlease()).toThrow(AssertionError);
		expect(producer.fill).toBe(16);
		expect(reader.lease()).toBe(true);
		expect(reader.memory.bytes[reader.offset]).toBe(2);
	});

	test(`RingProducer over ${kind}: a successor goes on behind what was published, and unpublished records are as if never written`, () => {
		using memory = open(ringBytes(4096));
		const { producer, reader } = sides(memory, [4096]);
		const first = producer.writer(0);
		first.memory.bytes[first.reserve(1)] = 1;
		first.submit();
		producer.flush();
		first.memory.bytes[first.reserve(1)] = 2;
		first.submit();
		const successor = new RingProducer(memory.producer);
		const second = successor.writer(0);
		second.memory.bytes[second.reserve(1)] = 3;
		second.submit();
		successor.flush();
		expect(reader.lease() && reader.memory.bytes[reader.offset]).toBe(1);
		expect(reader.lease() && reader.memory.bytes[reader.offset]).toBe(3);
		expect(reader.lease()).toBe(false);
		reader.commit();
		let room = 0;
		for (; second.hasRoom(120); room++) {
			second.reserve(120);
			second.submit();
		}
		expect(room).toBeGreaterThan(30);
	});

	test(`RingReader over ${kind}: a successor reads again what was leased and not committed, and the quota recovers`, () => {
		using memory = open(ringBytes(4096));
		const { producer, reader } = sides(memory, [1024]);
		const writer = producer.writer(0);
		for (let round = 0; round < 200; round++) {
			expect(writer.reserve(1000)).not.toBe(-1);
			writer.submit();
			producer.flush();
			expect(reader.lease()).toBe(true);
			// A reader that ended between releasing and moving the tail.
			Atomics.add(memory.consumer.signed, wordReleased, 1008);
			const successor = new RingReader(memory.consumer);
			expect(successor.lease()).toBe(true);
			successor.commit();
			expect(reader.lease()).toBe(false);
			reader.commit();
		}
	});

	test(`RingProducer.trim() over ${kind}: gives back what nothing published stands in, wherever the head is`, () => {
		const capacity = 65_536;
		using memory = open(ringBytes(capacity));
		const { producer, reader } = sides(memory, [capacity]);
		const writer = producer.writer(0);
		let [written, read, released] = [0, 0, 0];
		for (let round = 0; round < 300; round++) {
			for (let count = (round * 7) % 40; count > 0 && writer.hasRoom(1000); count--) {
				const at = writer.reserve(1000);
				writer.memory.bytes.fill(written++ & 255, at, at + 1000);
				writer.submit();
			}
			// Sometimes behind a flush and sometimes before it: what is submitted and not yet published must stay as well.
			if (round % 2 === 0) producer.flush();
			released += producer.trim();
			producer.flush();
			for (let count = (round * 11) % 40; count > 0 && reader.lease(); count--) {
				const payload = reader.memory.bytes.subarray(reader.offset, reader.offset + reader.length);
				expect(payload.every((byte) => byte === (read & 255))).toBe(true);
				read++;
			}
			reader.commit();
		}
		expect(read).toBeGreaterThan(2000);
		expect(released).toBeGreaterThan(capacity * 10);
	});

	test(`RingTrimmer over ${kind}: trims once when the rush is over, and not while it lasts`, () => {
		const capacity = 1 << 20;
		using memory = open(ringBytes(capacity));
		const { producer, reader } = sides(memory, [capacity]);
		const trimmer = new RingTrimmer(producer);
		const pass = (bytes: number) => {
			const writer = producer.writer(0);
			for (let left = bytes; left > 0; left -= 1024) {
				const at = writer.reserve(1016);
				writer.memory.bytes.fill(0xaa, at, at + 1016);
				writer.submit();
				producer.flush();
				while (reader.lease());
				reader.commit();
			}
		};
		expect([trimmer.look(), trimmer.look()]).toEqual([true, false]);
		pass(4 * capacity);
		expect(memory.consumer.bytes.includes(0xaa, 4096)).toBe(true);
		expect(trimmer.look()).toBe(false);
		pass(2048);
		expect([trimmer.look(), trimmer.look()]).toEqual([true, false]);
		// A private view of the test's own may share a page with other memory; everything else is gone.
		expect(memory.consumer.bytes.subarray(65_536, capacity).includes(0xaa)).toBe(false);
		pass(4096);
		expect(trimmer.look()).toBe(false);
		for (let second = 0; second < 64; second++) {
			pass(4096);
			expect(trimmer.look()).toBe(second === 62);
		}
	});

	test(`RecordWriter over ${kind}: refuses what would damage the ring`, () => {
		using memory = open(ringBytes(4096));
		const { producer } = sides(memory, [4096]);
		const writer = producer.writer(0);
		expect(() => writer.submit()).toThrow(AssertionError);
		expect(() => writer.discard()).toThrow(AssertionError);
		expect(() => writer.reserve(0)).toThrow(AssertionError);
		expect(() => writer.reserve(Number.NaN)).toThrow(AssertionError);
		expect(() => writer.count(counterReceived, 1)).toThrow(AssertionError);
		expect(() => writer.count(counterOwn, -1)).toThrow(AssertionError);
		expect(() => producer.writer(1)).toThrow(AssertionError);
		writer.reserve(8);
		expect(() => writer.reserve(8)).toThrow(AssertionError);
		expect(() => producer.flush()).toThrow(AssertionError);
		expect(() => writer.submit(65536)).toThrow(AssertionError);
		writer.submit(65535);
		producer.flush();
	});

	test(`setControl() over ${kind}: reaches the producer, and the counters reach the consumer`, () => {
		using memory = open(ringBytes(4096));
		const { producer, reader } = sides(memory, [4096, 4096]);
		expect(producer.stopping).toBe(false);
		setControl(memory.consumer, true);
		expect(producer.stopping).toBe(true);
		setControl(memory.consumer, false);
		expect(producer.stopping).toBe(false);
		producer.writer(1).count(counterOwn, 2 ** 40);
		producer.writer(1).count(counterOwn, 1);
		expect(reader.counter(1, counterOwn)).toBe(2 ** 40 + 1);
		expect(reader.counter(0, counterOwn)).toBe(0);
	});

	for (const [name, start] of [
		["2^31", 2 ** 31],
		["2^32", 2 ** 32],
	] as const) {
		test(`RingReader over ${kind}: head and tail cross ${name}`, () => {
			using memory = open(ringBytes(4096));
			const from = (start - 4096 * 3) | 0;
			for (const word of [wordHead, wordTail, wordReleased]) memory.producer.signed[word] = from;
			expect(memory.producer.signed[wordReleased + quotaStride]).toBe(0);
			const { producer, reader } = sides(memory, [4096]);
			const writer = producer.writer(0);
			for (let number = 0; number < 400; number++) {
				const length = 1 + ((number * 37) % 200);
				const at = writer.reserve(length);
				writer.memory.bytes.fill(number, at, at + length);
				writer.submit(number);
				producer.flush();
				expect(reader.lease()).toBe(true);
				expect([reader.kind, reader.length, reader.memory.bytes[reader.offset + length - 1]]).toEqual([number, length, number & 255]);
				reader.commit();
			}
			expect(((memory.producer.signed[wordHead] ?? 0) - from) >>> 0).toBeGreaterThan(4096 * 6);
		});
	}

	test(`openRing() over ${kind}: refuses memory that is no ring of this build`, () => {
		using memory = open(ringBytes(4096));
		expect(() => new RingReader(memory.consumer)).toThrow(OperatingError);
		createRing(memory.producer, [4096]);
		memory.producer.words[1] = 99;
		expect(() => new RingProducer(memory.consumer)).toThrow(OperatingError);
	});

	test(`ringCapacity() over ${kind}: is what createRing takes`, () => {
		for (const [asked, given] of [
			[1, 4096],
			[4097, 8192],
			[10_240_000, 2 ** 24],
			[2 ** 31, 2 ** 30],
		] as const) {
			expect(ringCapacity(asked)).toBe(given);
		}
		using memory = open(ringBytes(ringCapacity(5000)));
		createRing(memory.producer, [8192]);
		expect(new RingProducer(memory.consumer).capacity).toBe(8192);
	});
}

function sides(memory: RingMemory, quotas: readonly number[]): { readonly producer: RingProducer; readonly reader: RingReader } {
	createRing(memory.producer, quotas);
	return { producer: new RingProducer(memory.producer), reader: new RingReader(memory.consumer) };
}
