import type { Pointer } from "bun:ffi";
import { assert } from "../../base/assert.ts";
import { libc } from "./libc.ts";
import { Memory } from "./memory.ts";

const clockRealtime = 0;
const clockBoottime = 7;
const billion = 1e9;
/** Readings of one sample; the one with the least time between its two ends counts. */
const readings = 5;
/** A smaller difference in ns is the noise of reading two clocks one after the other. The clocks drift together, so that a larger one is a step. */
const stepMin = 50_000;

/**
 * How far CLOCK_REALTIME is ahead of CLOCK_BOOTTIME, which stamps kernel records. It only changes when somebody sets the clock, and then once: between
 * steps every time derived from it is exact to the nanosecond and in order. One thread.
 */
export class BootClock {
	/** Whole seconds of the difference, and the nanoseconds of the rest. */
	offsetSeconds = 0;
	offsetNanoseconds = 0;
	/** CLOCK_BOOTTIME in ns at the last {@link now}, as two words. */
	nowLow = 0;
	nowHigh = 0;
	readonly #times = Memory.allocate(16);
	#known = false;

	constructor() {
		this.sample();
	}

	/** Reads the clocks anew. Cheap, about 5 us; once a second is plenty. */
	sample(): void {
		let least = Number.POSITIVE_INFINITY;
		let seconds = 0;
		let nanoseconds = 0;
		for (let reading = 0; reading < readings; reading++) {
			const before = this.#read(clockBoottime);
			const real = this.#read(clockRealtime);
			const after = this.#read(clockBoottime);
			const span = (after.seconds - before.seconds) * billion + after.nanoseconds - before.nanoseconds;
			if (span >= least) continue;
			least = span;
			seconds = real.seconds - before.seconds;
			nanoseconds = real.nanoseconds - before.nanoseconds - Math.floor(span / 2);
		}
		const carry = Math.floor(nanoseconds / billion);
		this.#adopt(seconds + carry, nanoseconds - carry * billion, least);
	}

	/** Reads CLOCK_BOOTTIME into `nowLow` and `nowHigh`. Rare: it takes a BigInt. */
	now(): void {
		const { seconds, nanoseconds } = this.#read(clockBoottime);
		const total = BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
		this.nowLow = Number(total & 0xffffffffn);
		this.nowHigh = Number(total >> 32n);
	}

	/** `uncertainty` in ns: a sample may be wrong by as long as it took, where the thread was put aside in between. */
	#adopt(seconds: number, nanoseconds: number, uncertainty: number): void {
		assert(nanoseconds >= 0 && nanoseconds < billion, "The nanoseconds are less than a second");
		const step = (seconds - this.offsetSeconds) * billion + nanoseconds - this.offsetNanoseconds;
		if (this.#known && Math.abs(step) < stepMin + uncertainty) return;
		this.#known = true;
		// A clock before 1970 is not worth more than a sensible number.
		this.offsetSeconds = Math.max(0, seconds);
		this.offsetNanoseconds = nanoseconds;
	}

	#read(clock: number): { readonly seconds: number; readonly nanoseconds: number } {
		const result = libc.clock_gettime(clock, this.#times.addressOf(0) as Pointer);
		assert(result === 0, "The clock exists");
		const { words } = this.#times;
		return { seconds: (words[0] ?? 0) + (words[1] ?? 0) * 2 ** 32, nanoseconds: words[2] ?? 0 };
	}
}
