import { expect, test } from "bun:test";
import { flappingRound } from "./flapping-round.ts";

test("Link and NatsLane deliver each event once and in order through an hour of flapping, and nothing grows", async () => {
	for (let seed = 1; seed <= 8; seed++) {
		const round = await flappingRound(seed);
		if (round.problem !== undefined) throw new Error(`Seed ${seed}: ${round.problem}. See bun run sim ${seed} --flapping`);
		// It looked at something: many flaps, an open circuit that was probed, and a back-off that reached its end.
		expect(round.flaps).toBeGreaterThan(200);
		expect(round.connections).toBeGreaterThan(100);
		expect(round.circuits).toBeGreaterThan(10);
		expect(round.failuresMax).toBeGreaterThan(8);
		expect(round.millisecondsWaitedMax).toBeGreaterThan(15_000);
		expect(round.batches).toBeGreaterThan(1000);
	}
}, 120_000);

test("flappingRound() repeats exactly for the same seed", async () => {
	expect((await flappingRound(3)).hash).toBe((await flappingRound(3)).hash);
	expect((await flappingRound(3)).hash).not.toBe((await flappingRound(4)).hash);
}, 60_000);
