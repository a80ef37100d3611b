import { assert } from "../base/assert.ts";
import type { Memory } from "../platform/ffi/memory.ts";
import {
	collectorsMax,
	countersMax,
	doubleCounters,
	headerBytes,
	padding,
	quotaStride,
	recordBytes,
	recordHeaderBytes,
	wordHead,
	wordReleased,
	wordTail,
} from "./layout.ts";
import { openRing } from "./ring.ts";

/**
 * The consuming side of one ring: `lease` the next record, use it, `commit` all leased ones at once. One thread only.
 * A record stays valid until the commit that releases it; after it the producer may overwrite the bytes.
 */
export class RingReader {
	readonly memory: Memory;
	/** Offset in memory and length of the leased payload, and who wrote it. Valid after `lease()` returned true. */
	offset = 0;
	length = 0;
	collector = 0;
	kind = 0;
	/** Bytes of the data area. */
	readonly capacity: number;
	readonly #collectors: number;
	readonly #leased = new Float64Array(collectorsMax);
	#isLeased = false;
	#head = 0;
	#tail: number;

	/** Throws OperatingError "ring_layout" for a foreign memory. */
	constructor(memory: Memory) {
		const { capacity, collectors } = openRing(memory);
		this.memory = memory;
		this.capacity = capacity;
		this.#collectors = collectors;
		this.#tail = Atomics.load(memory.signed, wordTail) >>> 0;
		this.#head = this.#tail;
		assert((this.#tail & 7) === 0, "Records begin at multiples of 8");
	}

	/** Leases the next record and describes it in the fields above; false where none is published. Throws AssertionError on a damaged ring. */
	lease(): boolean {
		this.#isLeased = false;
		for (;;) {
			if (this.#head === this.#tail) {
				this.#head = Atomics.load(this.memory.signed, wordHead) >>> 0;
				if (this.#head === this.#tail) return false;
				assert((this.#head - this.#tail) >>> 0 <= this.capacity, "The fill is at most the capacity");
				assert((this.#head & 7) === 0, "Records end at multiples of 8");
			}
			const at = this.#tail & (this.capacity - 1);
			const word = (headerBytes + at) >>> 2;
			const length = this.memory.words[word] ?? 0;
			if (length === padding) {
				const toEnd = this.capacity - at;
				assert(toEnd <= (this.#head - this.#tail) >>> 0, "A filler is published whole");
				this.#tail = (this.#tail + toEnd) >>> 0;
				continue;
			}
			return this.#describe(at, length, this.memory.words[word + 1] ?? 0);
		}
	}

	/**
	 * Takes the last lease back: the next `lease` returns the same record. At most one, before the next lease or commit;
	 * throws AssertionError otherwise.
	 */
	unlease(): void {
		assert(this.#isLeased, "The last record is leased");
		this.#isLeased = false;
		const taken = recordBytes(this.length);
		this.#tail = (this.#tail - taken) >>> 0;
		this.#leased[this.collector] = (this.#leased[this.collector] ?? 0) - taken;
	}

	/** Releases every leased record with one store. */
	commit(): void {
		this.#isLeased = false;
		// Released before the tail moves: a reader that ends in between leaves a batch to be read again, and a quota that is too wide for a moment.
		for (let collector = 0; collector < this.#collectors; collector++) {
			const leased = this.#leased[collector] ?? 0;
			if (leased === 0) continue;
			Atomics.add(this.memory.signed, wordReleased + collector * quotaStride, leased);
			this.#leased[collector] = 0;
		}
		Atomics.store(this.memory.signed, wordTail, this.#tail | 0);
	}

	/** Published bytes not leased yet. */
	get fill(): number {
		return ((Atomics.load(this.memory.signed, wordHead) >>> 0) - this.#tail) >>> 0;
	}

	/** A counter of a collector, as its producer last wrote it. */
	counter(collector: number, index: number): number {
		assert(collector < this.#collectors && index < countersMax, "The counter exists");
		return this.memory.doubles[doubleCounters + collector * countersMax + index] ?? 0;
	}

	#describe(at: number, length: number, tag: number): boolean {
		// Before any sum: lengths near 2^32 would wrap it.
		assert(length > 0 && length <= this.capacity - at - recordHeaderBytes, "A record has a payload and does not straddle the end");
		const taken = recordBytes(length);
		assert(taken <= (this.#head - this.#tail) >>> 0, "A record is published whole");
		this.offset = headerBytes + at + recordHeaderBytes;
		this.length = length;
		this.collector = tag & 0xffff;
		this.kind = tag >>> 16;
		assert(this.collector < this.#collectors, "A record names a collector of this ring");
		this.#tail = (this.#tail + taken) >>> 0;
		this.#isLeased = true;
		this.#leased[this.collector] = (this.#leased[this.collector] ?? 0) + taken;
		return true;
	}
}
