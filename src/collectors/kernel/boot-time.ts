const billion = 1e9;

/**
 * The parts of a count of nanoseconds that comes as two 32-bit words. Such counts pass 2^53 after 104 days, so that no number holds them whole;
 * this divides in steps of 16 bits, each exact. One thread, no allocation.
 */
export class Nanoseconds {
	/** Whole seconds. */
	seconds = 0;
	/** 0 to 999,999,999. */
	nanoseconds = 0;

	/** Splits `high * 2^32 + low` and adds an offset of whole seconds and 0 to 999,999,999 nanoseconds. */
	set(low: number, high: number, offsetSeconds: number, offsetNanoseconds: number): void {
		const upper = (high % billion) * 0x10000 + (low >>> 16);
		const middle = Math.floor(upper / billion);
		const lower = (upper - middle * billion) * 0x10000 + (low & 0xffff);
		const last = Math.floor(lower / billion);
		const rest = lower - last * billion + offsetNanoseconds;
		const carry = rest >= billion ? 1 : 0;
		this.nanoseconds = rest - carry * billion;
		this.seconds = Math.floor(high / billion) * 2 ** 32 + middle * 0x10000 + last + offsetSeconds + carry;
	}
}
