import type { RingProducer } from "./writer.ts";

/** Share of a ring that must have been written before giving its memory back is worth the page faults that follow. */
const touchedShare = 1 / 4;
/** Share of a ring that may be written between two looks while the ring counts as quiet. */
const quietShare = 1 / 256;

/**
 * Gives the memory of a ring back to the kernel once a rush is over: otherwise a ring that was run through once keeps all of it for good.
 * On the producer's thread.
 */
export class RingTrimmer {
	readonly #ring: RingProducer;
	#written: number;
	#touched: number;

	/** Whatever a predecessor wrote counts as written. */
	constructor(ring: RingProducer) {
		this.#ring = ring;
		this.#written = ring.written;
		this.#touched = ring.capacity;
	}

	/** Looks whether the rush is over; to be called at equal distances of a second or so. Returns true where memory was given back. */
	look(): boolean {
		const { capacity, written } = this.#ring;
		const since = (written - this.#written) >>> 0;
		this.#written = written;
		this.#touched = Math.min(this.#touched + since, capacity);
		if (since > capacity * quietShare || this.#touched < capacity * touchedShare) return false;
		this.#touched = 0;
		return this.#ring.trim() > 0;
	}
}
