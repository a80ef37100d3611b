import { assert } from "./assert.ts";

/** Random part of a run: 24 bits, so that two agents on copies of one state folder are told apart. */
const nonces = 2 ** 24;
/** Starts of an agent on one state folder. One a second, it would take a year. */
export const epochMax = 2 ** 25 - 1;

/**
 * One run of the agent as a number below 2^49: how many runs of a lane came before it, and chance. Runs of one lane are in the order of their epochs; two of one epoch
 * are those of two agents. `random` is from 0 to below 1.
 */
export function makeRun(epoch: number, random: number): number {
	assert(Number.isInteger(epoch) && epoch >= 1, "The first run is 1");
	assert(random >= 0 && random < 1, "Chance is a part of 1");
	return Math.min(epoch, epochMax) * nonces + Math.floor(random * nonces);
}

/** Which run of its lane it is, from 1; 0 for no run. */
export function epochOf(run: number): number {
	return Math.floor(run / nonces);
}

/** True where what `one` cut up to its sequence stands before `other` in the order of the lane. */
export function isBefore(
	one: { readonly run: number; readonly sequence: number },
	other: { readonly run: number; readonly sequence: number },
): boolean {
	return one.run === other.run ? one.sequence < other.sequence : epochOf(one.run) < epochOf(other.run);
}
