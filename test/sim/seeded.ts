/** Chance that repeats: the same seed gives the same run. */
export interface Seeded {
	/** 0 to below 1. */
	next(): number;
	/** A whole number from 0 to below `bound`. */
	below(bound: number): number;
	/** True as often as `probability` says. */
	chance(probability: number): boolean;
}

/** A generator of 32 bits (xorshift, multiplied), good enough to choose faults. */
export function seeded(seed: number): Seeded {
	let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0 || 1;
	const next = () => {
		state ^= state << 13;
		state ^= state >>> 17;
		state ^= state << 5;
		return (Math.imul(state, 0x2c1b3c6d) >>> 0) / 2 ** 32;
	};
	return { next, below: (bound) => Math.floor(next() * bound), chance: (probability) => next() < probability };
}
