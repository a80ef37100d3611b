import { assert } from "./assert.ts";

/** Runs that there may be: 48 bits, so that no two are alike by chance. */
const runs = 2 ** 48;

/** One run of the agent, from its start to its end, as a whole number from 1 to 2^48: chance alone, so that those of copied state folders are told apart. `random` is from 0 to below 1. */
export function makeRun(random: number): number {
	assert(random >= 0 && random < 1, "Chance is a part of 1");
	return Math.floor(random * runs) + 1;
}
