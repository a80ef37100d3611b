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
	readonly #capacity: number;
	readonly #collectors: number;
	readonly #leased = new Float64Array(collectorsMax);
	#head = 0;
	#tail: number;

	/** Throws OperatingError "ring_layout" for a foreign memory. */
	constructor(memory: Memory) {
		const { capacity, collectors } = openRing(memory);
		this.memory = memory;
		this.#capacity = capacity;
		this.#collectors = collectors;
		this.#tail = Atomics.load(memory.signed, wordTail) >>> 0;
		this.#head = this.#tail;
	}

	/** Leases the next record and describes it in the fields above; false where none is published. Throws AssertionError on a damaged ring. */
	lease(): boolean {
		for (;;) {
			if (this.#head === this.#tail) {
				this.#head = Atomics.load(this.memory.signed, wordHead) >>> 0;
				if (this.#head === this.#tail) return false;
				assert((this.#head - this.#tail) >>> 0 <= this.#capacity, "The fill is at most the capacity");
			}
			const at = this.#tail & (this.#capacity - 1);
			const word = (headerBytes + at) >>> 2;
			const length = this.memory.words[word] ?? 0;
			if (length === padding) {
				this.#tail = (this.#tail + this.#capacity - at) >>> 0;
				continue;
			}
			return this.#describe(at, length, this.memory.words[word + 1] ?? 0);
		}
	}

	/** Takes the last lease back: the next `lease` returns the same record. At most one, before the next lease or commit. */
	unlease(): void {
		const taken = recordBytes(this.length);
		this.#tail = (this.#tail - taken) >>> 0;
		this.#leased[this.collector] = (this.#leased[this.collector] ?? 0) - taken;
	}

	/** Releases every leased record with one store. */
	commit(): void {
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
		const taken = recordBytes(length);
		assert(length > 0 && at + taken <= this.#capacity, "A record has a payload and does not straddle the end");
		assert(taken <= (this.#head - this.#tail) >>> 0, "A record is published whole");
		this.offset = headerBytes + at + recordHeaderBytes;
		this.length = length;
		this.collector = tag & 0xffff;
		this.kind = tag >>> 16;
		assert(this.collector < this.#collectors, "A record names a collector of this ring");
		this.#tail = (this.#tail + taken) >>> 0;
		this.#leased[this.collector] = (this.#leased[this.collector] ?? 0) + taken;
		return true;
	}
}
