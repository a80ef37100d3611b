import { expect, test } from "bun:test";
import fc from "fast-check";
import { Memory } from "../platform/ffi/memory.ts";
import { quotaStride, ringBytes, wordHead, wordReleased, wordTail } from "./layout.ts";
import { RingReader } from "./reader.ts";
import { createRing } from "./ring.ts";
import { counterReceived, counterRingFull, type RecordWriter, RingProducer } from "./writer.ts";

/** One call on one side of the ring. */
type Step =
	| { readonly call: "write"; readonly collector: number; readonly length: number; readonly kind: number }
	| { readonly call: "discard"; readonly collector: number; readonly length: number }
	| { readonly call: "flush" | "lease" | "unlease" | "commit" };

interface ModelRecord {
	readonly collector: number;
	readonly length: number;
	readonly kind: number;
	readonly number: number;
}

const capacity = 4096;
const quotas = [4096, 1024, 200];

/** What the ring should do, with plain lists and numbers that never wrap. */
class Model {
	head = 0;
	tail = 0;
	readonly pending: (ModelRecord | number)[] = [];
	readonly published: (ModelRecord | number)[] = [];
	readonly leased: ModelRecord[] = [];
	readonly inFlight = quotas.map(() => 0);
	readonly received = quotas.map(() => 0);
	readonly dropped = quotas.map(() => 0);
	#leaseAt = 0;
	#numbers = 0;

	constructor(start: number) {
		this.head = start;
		this.tail = start;
		this.#leaseAt = start;
	}

	/** Bytes that the record takes, or undefined where it finds no room. A filler that it needs is put down. */
	reserve(collector: number, length: number): number | undefined {
		const taken = 8 + Math.ceil(length / 8) * 8;
		const toEnd = capacity - (this.head % capacity);
		const filler = taken <= toEnd ? 0 : toEnd;
		const quota = quotas[collector] ?? 0;
		const isTooLong = length > Math.floor(Math.min(quota, capacity / 2) / 8) * 8 - 8;
		if (isTooLong || (this.inFlight[collector] ?? 0) + taken > quota || this.head - this.tail + filler + taken > capacity) {
			this.#add(this.received, collector, 1);
			this.#add(this.dropped, collector, 1);
			return undefined;
		}
		if (filler > 0) this.pending.push(filler);
		this.head += filler;
		return taken;
	}

	submit(collector: number, length: number, kind: number, taken: number): ModelRecord {
		const record = { collector, length, kind, number: this.#numbers++ };
		this.pending.push(record);
		this.head += taken;
		this.#add(this.inFlight, collector, taken);
		this.#add(this.received, collector, 1);
		return record;
	}

	flush(): void {
		this.published.push(...this.pending.splice(0));
	}

	lease(): ModelRecord | undefined {
		for (let next = this.published.shift(); next !== undefined; next = this.published.shift()) {
			if (typeof next === "number") {
				this.#leaseAt += next;
				continue;
			}
			this.#leaseAt += 8 + Math.ceil(next.length / 8) * 8;
			this.leased.push(next);
			return next;
		}
		return undefined;
	}

	unlease(): void {
		const last = this.leased.pop();
		if (last === undefined) return;
		this.published.unshift(last);
		this.#leaseAt -= 8 + Math.ceil(last.length / 8) * 8;
	}

	commit(): void {
		this.tail = this.#leaseAt;
		for (const { collector, length } of this.leased.splice(0)) this.#add(this.inFlight, collector, -(8 + Math.ceil(length / 8) * 8));
	}

	#add(counts: number[], collector: number, amount: number): void {
		counts[collector] = (counts[collector] ?? 0) + amount;
	}
}

const collector = fc.nat({ max: quotas.length - 1 });
const length = fc.oneof(
	{ weight: 6, arbitrary: fc.integer({ min: 1, max: 96 }) },
	{ weight: 2, arbitrary: fc.integer({ min: 97, max: 1100 }) },
	fc.integer({ min: 1101, max: 5000 }),
);
const step: fc.Arbitrary<Step> = fc.oneof(
	{ weight: 8, arbitrary: fc.record({ call: fc.constant("write" as const), collector, length, kind: fc.nat({ max: 65535 }) }) },
	{ weight: 1, arbitrary: fc.record({ call: fc.constant("discard" as const), collector, length }) },
	{ weight: 3, arbitrary: fc.record({ call: fc.constant("flush" as const) }) },
	{ weight: 9, arbitrary: fc.record({ call: fc.constant("lease" as const) }) },
	{ weight: 1, arbitrary: fc.record({ call: fc.constant("unlease" as const) }) },
	{ weight: 3, arbitrary: fc.record({ call: fc.constant("commit" as const) }) },
);
/** Positions around which 32-bit arithmetic breaks when it is wrong. */
const start = fc.oneof(
	fc.constant(0),
	fc.nat({ max: 4096 }).map((back) => 2 ** 31 - back * 8),
	fc.nat({ max: 4096 }).map((back) => 2 ** 32 - 8 - back * 8),
);

test("RingProducer and RingReader agree with a plain model, over every start position", () => {
	let wraps = 0;
	let drops = 0;
	fc.assert(
		fc.property(start, fc.array(step, { minLength: 1, maxLength: 400, size: "max" }), (from, steps) => {
			const model = runSteps(from, steps);
			if (Math.floor(model.head / capacity) > Math.floor(from / capacity)) wraps++;
			drops += model.dropped.reduce((sum, count) => sum + count, 0);
		}),
		{ numRuns: 300 },
	);
	expect(wraps).toBeGreaterThan(50);
	expect(drops).toBeGreaterThan(50);
});

function runSteps(from: number, steps: readonly Step[]): Model {
	const memory = Memory.allocate(ringBytes(capacity));
	createRing(memory, quotas);
	presetPositions(memory, from);
	const producer = new RingProducer(memory);
	const writers = quotas.map((_, index) => producer.writer(index));
	const reader = new RingReader(memory);
	const model = new Model(from);
	let isLeased = false;
	for (const next of steps) {
		switch (next.call) {
			case "write":
				write(next, writers, model);
				break;
			case "discard":
				discard(next, writers, model);
				break;
			case "flush":
				producer.flush();
				model.flush();
				break;
			case "lease":
				isLeased = checkLease(reader, model.lease());
				break;
			case "unlease":
				if (isLeased) {
					reader.unlease();
					model.unlease();
				}
				isLeased = false;
				break;
			case "commit":
				reader.commit();
				model.commit();
				isLeased = false;
				break;
		}
		expect(producer.fill).toBe(model.head - model.tail);
	}
	for (let index = 0; index < quotas.length; index++) {
		expect(reader.counter(index, counterReceived)).toBe(model.received[index] ?? -1);
		expect(reader.counter(index, counterRingFull)).toBe(model.dropped[index] ?? -1);
	}
	return model;
}

function presetPositions(memory: Memory, from: number): void {
	for (const word of [wordHead, wordTail, ...quotas.map((_, index) => wordReleased + index * quotaStride)]) memory.signed[word] = from | 0;
}

function write(step: Extract<Step, { call: "write" }>, writers: readonly RecordWriter[], model: Model): void {
	const writer = writers[step.collector];
	if (writer === undefined) throw new Error("No such collector");
	const hasRoom = writer.hasRoom(step.length);
	const offset = writer.reserve(step.length);
	const taken = model.reserve(step.collector, step.length);
	expect(offset !== -1).toBe(taken !== undefined);
	expect(hasRoom).toBe(taken !== undefined);
	if (taken === undefined) return;
	const record = model.submit(step.collector, step.length, step.kind, taken);
	expect(offset % 8).toBe(0);
	writer.memory.bytes.fill(record.number & 255, offset, offset + step.length);
	writer.submit(step.kind);
}

function discard(step: Extract<Step, { call: "discard" }>, writers: readonly RecordWriter[], model: Model): void {
	const writer = writers[step.collector];
	if (writer === undefined) throw new Error("No such collector");
	const offset = writer.reserve(step.length);
	expect(offset !== -1).toBe(model.reserve(step.collector, step.length) !== undefined);
	if (offset === -1) return;
	writer.memory.bytes.fill(0xaa, offset, offset + step.length);
	writer.discard();
}

function checkLease(reader: RingReader, expected: ModelRecord | undefined): boolean {
	expect(reader.lease()).toBe(expected !== undefined);
	if (expected === undefined) return false;
	expect([reader.collector, reader.kind, reader.length]).toEqual([expected.collector, expected.kind, expected.length]);
	const payload = reader.memory.bytes.subarray(reader.offset, reader.offset + reader.length);
	expect(payload.every((byte) => byte === (expected.number & 255))).toBe(true);
	return true;
}
