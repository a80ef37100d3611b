import { expect, test } from "bun:test";
import { keptRound } from "./kept-round.ts";

/** Rounds of CI; `bun run sim --live` plays as many as are asked for. */
const rounds = 120;

test("SpooledDelivery keeps what it called safe, and stores it once and in order, through outages, kills, losses of power, disks that refuse, limits that fall, lost and copied states", async () => {
	const sum = { unsafe: 0, batches: 0, lives: 0, outages: 0, flaps: 0, spooled: 0, diskFaults: 0, limits: 0, losses: 0, withoutSpool: 0, copies: 0 };
	for (let seed = 1; seed <= rounds; seed++) {
		const round = await keptRound(seed);
		if (round.problem !== undefined) throw new Error(`Seed ${seed}: ${round.problem}. See bun run sim ${seed} --live`);
		for (const key of [
			"unsafe",
			"batches",
			"lives",
			"outages",
			"flaps",
			"spooled",
			"diskFaults",
			"limits",
			"losses",
			"withoutSpool",
			"copies",
		] as const)
			sum[key] += round[key];
	}
	// It looked at something.
	expect(sum.batches).toBeGreaterThan(rounds * 300);
	expect(sum.lives).toBeGreaterThan(rounds * 6);
	expect(sum.outages).toBeGreaterThan(rounds);
	expect(sum.flaps).toBeGreaterThan(rounds * 20);
	expect(sum.spooled).toBeGreaterThan(rounds * 200);
	expect(sum.diskFaults).toBeGreaterThan(rounds);
	expect(sum.limits).toBeGreaterThan(rounds);
	for (const count of [sum.losses, sum.withoutSpool, sum.copies]) expect(count).toBeGreaterThan(rounds / 4);
	// A kill takes what is in memory alone.
	expect(sum.unsafe).toBeLessThan(rounds * 400);
}, 180_000);

test("keptRound() repeats exactly for the same seed", async () => {
	expect((await keptRound(5)).hash).toBe((await keptRound(5)).hash);
	expect((await keptRound(5)).hash).not.toBe((await keptRound(6)).hash);
});
