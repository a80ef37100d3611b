import { expect, test } from "bun:test";
import { laneRound } from "./lane-round.ts";

/** Rounds of CI; `bun run sim` plays as many as are asked for. */
const rounds = 1000;

test("LaneDelivery, NatsLane and LaneState store each event once and in order, whatever happens between two steps", async () => {
	const sum = { crashes: 0, networkFaults: 0, batches: 0, diskOperations: 0, diskFaults: 0 };
	for (let seed = 1; seed <= rounds; seed++) {
		const round = await laneRound(seed);
		if (round.problem !== undefined) throw new Error(`Seed ${seed}: ${round.problem}. See bun run sim ${seed}`);
		for (const key of ["crashes", "networkFaults", "batches", "diskOperations", "diskFaults"] as const) sum[key] += round[key];
	}
	// It looked at something.
	expect(sum.crashes).toBeGreaterThan(rounds * 5);
	expect(sum.networkFaults).toBeGreaterThan(rounds * 10);
	expect(sum.batches).toBeGreaterThan(rounds * 20);
	expect(sum.diskOperations).toBeGreaterThan(rounds * 50);
	expect(sum.diskFaults).toBeGreaterThan(rounds);
}, 120_000);

test("laneRound() repeats exactly for the same seed", async () => {
	expect((await laneRound(7)).hash).toBe((await laneRound(7)).hash);
	expect((await laneRound(7)).hash).not.toBe((await laneRound(8)).hash);
});
