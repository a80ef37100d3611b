import { expect, test } from "bun:test";
import { laneRound, roundEvents } from "./lane-round.ts";

const rounds = 2000;

test("NatsLane and LaneState store each event once and in order, whatever happens between two steps", async () => {
	let crashes = 0;
	let faults = 0;
	for (let seed = 1; seed <= rounds; seed++) {
		const round = await laneRound(seed);
		let last = 0;
		for (const [first, end] of round.stored) {
			if (first !== last + 1) throw new Error(`Seed ${seed}: ${first} to ${end} behind ${last}, in ${JSON.stringify(round.stored)}`);
			last = end;
		}
		expect(last).toBe(roundEvents);
		expect(new Set(round.ids).size).toBe(round.ids.length);
		crashes += round.crashes;
		faults += round.faults;
	}
	// It looked at something.
	expect(crashes).toBeGreaterThan(rounds);
	expect(faults).toBeGreaterThan(rounds * 5);
}, 120_000);

test("laneRound() repeats exactly for the same seed", async () => {
	expect((await laneRound(7)).hash).toBe((await laneRound(7)).hash);
	expect((await laneRound(7)).hash).not.toBe((await laneRound(8)).hash);
});
