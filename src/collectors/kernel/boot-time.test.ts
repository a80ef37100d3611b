import { expect, test } from "bun:test";
import fc from "fast-check";
import { Nanoseconds } from "./boot-time.ts";

test("Nanoseconds splits any count as exact arithmetic does", () => {
	const time = new Nanoseconds();
	const word = fc.oneof(fc.constantFrom(0, 1, 0xffff, 0x10000, 999_999_999, 1_000_000_000, 0x7fffffff, 0x80000000, 0xffffffff), fc.nat(0xffffffff));
	fc.assert(
		fc.property(word, word, fc.nat(2 ** 32 - 1), fc.nat(999_999_999), (low, high, seconds, nanoseconds) => {
			time.set(low, high, seconds, nanoseconds);
			const total = (BigInt(high) << 32n) + BigInt(low) + BigInt(seconds) * 1_000_000_000n + BigInt(nanoseconds);
			expect(BigInt(time.seconds)).toBe(total / 1_000_000_000n);
			expect(BigInt(time.nanoseconds)).toBe(total % 1_000_000_000n);
		}),
		{ numRuns: 20_000 },
	);
});
