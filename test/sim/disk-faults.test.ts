import { expect, test } from "bun:test";
import type { DiskKind } from "../support/crash-files.ts";
import { laneRound } from "./lane-round.ts";

/** Operations of a whole round are fewer. */
const operationsMax = 1000;

/** Nothing is truncated unless a write failed: that one fails among all. */
const kinds: readonly (DiskKind | undefined)[] = [undefined, "read", "open", "write", "sync", "rename", "sync_folder"];

/** Fails the disk of a whole round at its first operation, its second, and so on, until a round sees no fault. Returns how many rounds saw one. */
async function failEach(kind: DiskKind | undefined, times: number, short: boolean, compacts: boolean): Promise<number> {
	for (let from = 1; from < operationsMax; from++) {
		const trouble = { from, times, kind, short };
		const plan = { crashes: 0, network: 0.3, power: false, troubles: false, forgets: false, trouble, compacts };
		const round = await laneRound(from, undefined, () => plan);
		if (round.problem !== undefined) throw new Error(`Round ${JSON.stringify(plan)}: ${round.problem}`);
		if (round.diskFaults === 0) return from - 1;
	}
	throw new Error("The loop ends with a round without a fault");
}

for (const compacts of [false, true]) {
	const title = compacts ? ", while its file is compacted again and again" : "";

	test(`LaneDelivery goes on whichever operation of its state the disk refuses, once or for a while, and says so as long as it is so${title}`, async () => {
		for (const kind of kinds) {
			const many = kind === undefined || kind === "write" || (compacts && kind !== "read");
			for (const times of [1, 15]) expect(await failEach(kind, times, false, compacts)).toBeGreaterThan(many ? 40 : 0);
		}
	}, 60_000);

	test(`LaneDelivery goes on whichever write of its state is cut short${title}`, async () => {
		for (const times of [1, 15]) expect(await failEach("write", times, true, compacts)).toBeGreaterThan(50);
	}, 60_000);
}
