import { assert } from "./assert.ts";

/**
 * Milliseconds to wait after `failures` failures in a row: doubling from `min` up to `max`, the upper half of it by chance, so that a thousand agents
 * do not come back at once. `random` gives 0 to below 1.
 */
export function backoffMs(failures: number, min: number, max: number, random: () => number): number {
	assert(failures > 0, "There was a failure");
	assert(min > 0 && min <= max, "The bounds are in order");
	const whole = Math.min(max, min * 2 ** Math.min(failures - 1, 30));
	return whole / 2 + (whole / 2) * random();
}
