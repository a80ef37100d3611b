import { assert } from "../base/assert.ts";
import type { Memory } from "../platform/ffi/memory.ts";
import {
	controlRun,
	controlStop,
	countersMax,
	doubleCounters,
	headerBytes,
	padding,
	quotaStride,
	recordBytes,
	recordHeaderBytes,
	wordControl,
	wordHead,
	wordQuota,
	wordReleased,
	wordTail,
} from "./layout.ts";
import { openRing } from "./ring.ts";

/** Counter 0 of every collector: records offered, whether they found room or not. */
export const counterReceived = 0;
/** Counter 1 of every collector: records dropped because the ring or the collector's quota was full. */
export const counterRingFull = 1;
/** The first counter that a collector names itself. */
export const counterOwn = 2;

/**
 * What a collector sees of its ring. One thread; nothing blocks.
 * `reserve` and `submit` (or `discard`) come in pairs; what was submitted becomes visible at the host's next flush.
 */
export interface RecordWriter {
	/** The memory to write the payload into. */
	readonly memory: Memory;
	/**
	 * The longest payload that can ever find room: what the collector's quota allows, and at most half of the ring, because a longer one might fit neither
	 * before nor after the end. A source that waits for room must not wait for more.
	 */
	readonly lengthMax: number;
	/**
	 * Room for a payload of `length` bytes (1 to `lengthMax`): its offset in `memory`, a multiple of 8. -1 where ring or quota is full or the payload is
	 * too long; then the record is counted as received and dropped, and the caller goes on. Throws AssertionError when a reservation is open.
	 */
	reserve(length: number): number;
	/** Finishes the open reservation. `kind`, 0 to 65535, is for the collector's decoder. Counts the record as received. */
	submit(kind?: number): void;
	/** Gives the open reservation back as if it had never been. */
	discard(): void;
	/** True where `reserve(length)` would succeed now. For replayable sources, which wait instead of dropping. */
	hasRoom(length: number): boolean;
	/** Adds to counter `index` of this collector, {@link counterOwn} to 15: what it discarded, skipped or lost, by its own reasons. */
	count(index: number, amount: number): void;
}

/** The producing side of one ring: hands out a {@link RecordWriter} per collector. One thread only. */
export class RingProducer {
	readonly memory: Memory;
	readonly capacity: number;
	#head: number;
	#tail: number;
	#open = -1;

	/** Takes over the producer's role where its predecessor left it. Throws OperatingError "ring_layout" for a foreign memory. */
	constructor(memory: Memory) {
		this.memory = memory;
		this.capacity = openRing(memory).capacity;
		this.#head = Atomics.load(memory.signed, wordHead) >>> 0;
		this.#tail = this.#loadTail();
		assert((this.#head & 7) === 0, "Records begin at multiples of 8");
	}

	/** The writer of collector `index`. */
	writer(index: number): RecordWriter {
		assert(index >= 0 && index < openRing(this.memory).collectors, "The collector has a place in this ring");
		return new Writer(this, index);
	}

	/** Publishes everything submitted since the last flush with one store. */
	flush(): void {
		assert(this.#open === -1, "No reservation is open at a flush");
		Atomics.store(this.memory.signed, wordHead, this.#head | 0);
	}

	/** True once the consumer's side asked this producer to end. */
	get stopping(): boolean {
		return Atomics.load(this.memory.signed, wordControl) === controlStop;
	}

	/** Bytes ever submitted and filled, modulo 2^32. */
	get written(): number {
		return this.#head;
	}

	/**
	 * Gives the memory of the free part back to the kernel: a ring that ran full once would keep all of it for good. Costs a page fault per page that is
	 * written again, so this is for a ring that has become quiet. The producer's, because nobody else writes where nothing is published. Returns the bytes given back.
	 */
	trim(): number {
		assert(this.#open === -1, "No reservation is open where memory is given back");
		this.#tail = this.#loadTail();
		const free = this.capacity - ((this.#head - this.#tail) >>> 0);
		const at = this.#head & (this.capacity - 1);
		const toEnd = Math.min(free, this.capacity - at);
		return this.memory.release(headerBytes + at, toEnd) + this.memory.release(headerBytes, free - toEnd);
	}

	/** Bytes that the consumer has not released yet, as this side sees it. */
	get fill(): number {
		this.#tail = this.#loadTail();
		return (this.#head - this.#tail) >>> 0;
	}

	/** Offset in memory of a payload of `length` bytes, or -1. Only {@link Writer} calls it. */
	place(length: number): number {
		assert(this.#open === -1, "Only one reservation is open at a time");
		const need = recordBytes(length);
		const at = this.#head & (this.capacity - 1);
		const toEnd = this.capacity - at;
		const total = need <= toEnd ? need : toEnd + need;
		if (!this.#roomFor(total)) return -1;
		let offset = headerBytes + at;
		if (need > toEnd) {
			this.memory.words[offset >>> 2] = padding;
			offset = headerBytes;
			this.#head = (this.#head + toEnd) >>> 0;
		}
		this.memory.words[offset >>> 2] = length;
		this.#open = offset;
		return offset + recordHeaderBytes;
	}

	/** True where {@link place} would find room. */
	couldPlace(length: number): boolean {
		const need = recordBytes(length);
		const toEnd = this.capacity - (this.#head & (this.capacity - 1));
		return this.#roomFor(need <= toEnd ? need : toEnd + need);
	}

	/** Closes the open reservation as a record. Only {@link Writer} calls it. Returns the bytes it takes. */
	finish(collector: number, kind: number): number {
		assert(this.#open !== -1, "A reservation is open");
		const word = this.#open >>> 2;
		this.memory.words[word + 1] = (kind << 16) | collector;
		const taken = recordBytes(this.memory.words[word] ?? 0);
		this.#head = (this.#head + taken) >>> 0;
		this.#open = -1;
		return taken;
	}

	/** Forgets the open reservation; a filler before it stays, it is valid by itself. Only {@link Writer} calls it. */
	forget(): void {
		assert(this.#open !== -1, "A reservation is open");
		this.#open = -1;
	}

	#roomFor(total: number): boolean {
		if (this.capacity - ((this.#head - this.#tail) >>> 0) >= total) return true;
		this.#tail = this.#loadTail();
		return this.capacity - ((this.#head - this.#tail) >>> 0) >= total;
	}

	#loadTail(): number {
		const tail = Atomics.load(this.memory.signed, wordTail) >>> 0;
		assert((this.#head - tail) >>> 0 <= this.capacity, "The consumer is at most one ring behind");
		return tail;
	}
}

class Writer implements RecordWriter {
	readonly memory: Memory;
	readonly lengthMax: number;
	readonly #ring: RingProducer;
	readonly #collector: number;
	readonly #quota: number;
	readonly #releasedWord: number;
	readonly #counters: number;
	#written: number;

	constructor(ring: RingProducer, collector: number) {
		this.memory = ring.memory;
		this.#ring = ring;
		this.#collector = collector;
		this.#quota = this.memory.words[wordQuota + collector * quotaStride] ?? 0;
		this.lengthMax = Math.max(0, (Math.min(this.#quota, ring.capacity / 2) & ~7) - recordHeaderBytes);
		this.#releasedWord = wordReleased + collector * quotaStride;
		this.#counters = doubleCounters + collector * countersMax;
		// A successor starts with nothing in flight: what its predecessor published is the consumer's by now.
		this.#written = Atomics.load(this.memory.signed, this.#releasedWord) >>> 0;
	}

	reserve(length: number): number {
		assert(length > 0, "A payload has at least one byte");
		const offset = this.#withinQuota(length) ? this.#ring.place(length) : -1;
		if (offset === -1) {
			this.#add(counterReceived, 1);
			this.#add(counterRingFull, 1);
		}
		return offset;
	}

	submit(kind = 0): void {
		assert(kind >= 0 && kind < 65536, "A kind is 16 bits");
		this.#written = (this.#written + this.#ring.finish(this.#collector, kind)) >>> 0;
		this.#add(counterReceived, 1);
	}

	discard(): void {
		this.#ring.forget();
	}

	hasRoom(length: number): boolean {
		return this.#withinQuota(length) && this.#ring.couldPlace(length);
	}

	count(index: number, amount: number): void {
		assert(index >= counterOwn && index < countersMax, "The counter is one of the collector's own");
		assert(amount >= 0, "A counter only grows");
		this.#add(index, amount);
	}

	#withinQuota(length: number): boolean {
		if (length > this.lengthMax) return false;
		const released = Atomics.load(this.memory.signed, this.#releasedWord) >>> 0;
		let inFlight = (this.#written - released) | 0;
		// More released than written: the predecessor's records, or a reader that ended between its two stores and read a batch again.
		if (inFlight < 0) {
			this.#written = released;
			inFlight = 0;
		}
		return inFlight + recordBytes(length) <= this.#quota;
	}

	#add(index: number, amount: number): void {
		const at = this.#counters + index;
		this.memory.doubles[at] = (this.memory.doubles[at] ?? 0) + amount;
	}
}

/** Asks the producer of a ring to end, or lets its successor run. Consumer's side. */
export function setControl(memory: Memory, stop: boolean): void {
	Atomics.store(memory.signed, wordControl, stop ? controlStop : controlRun);
}
