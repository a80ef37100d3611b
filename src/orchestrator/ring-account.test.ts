import { expect, test } from "bun:test";
import fc from "fast-check";
import { type LaneHarness, laneHarness } from "../../test/support/lane-harness.ts";
import { kindPosition } from "../../test/support/mock-event-source.ts";
import { counterOwn } from "../ring/writer.ts";
import { noRefusals } from "../spool/account.ts";
import { imbalance } from "../telemetry/ledger.ts";
import type { SpooledAccount } from "./spooled-delivery.ts";

async function opened(delivery: "live" | "replayable"): Promise<LaneHarness> {
	const harness = await laneHarness({ delivery, ringCapacity: 8192 });
	await harness.lane.open();
	return harness;
}

test("RingAccount counts what a producer took to its grave: lost for a live source, read again by a replayable one", async () => {
	for (const [delivery, expected] of [
		["live", { received: 9, published: 5, dropped: { collector_died: 4 }, inFlight: 0 }],
		["replayable", { received: 5, published: 5, dropped: {}, inFlight: 0 }],
	] as const) {
		const harness = await opened(delivery);
		for (let number = 1; number <= 5; number++) harness.write(number);
		await harness.deliver();
		// Written and counted, but never published.
		for (let number = 6; number <= 9; number++) harness.write(number);
		expect(harness.account.account(harness.lane)).toMatchObject({ inFlight: 4 });
		harness.account.settle();
		expect(harness.account.account(harness.lane)).toMatchObject(expected);
	}
});

test("RingAccount counts positions as no events, and what a source leaves out by its reason", async () => {
	const harness = await opened("replayable");
	harness.write(1);
	harness.write(2, 64, kindPosition);
	harness.writer.count(counterOwn, 3);
	await harness.deliver();
	expect(harness.account.account(harness.lane)).toMatchObject({ received: 4, published: 1, discarded: { scripted: 3 }, inFlight: 0 });
});

test("RingAccount drops at the end what a live source gave and nobody acknowledged, and leaves a replayable one its rest", async () => {
	for (const [delivery, expected] of [
		["live", { received: 3, dropped: { not_delivered: 3 }, inFlight: 0 }],
		["replayable", { received: 3, dropped: {}, inFlight: 3 }],
	] as const) {
		const harness = await opened(delivery);
		for (let number = 1; number <= 3; number++) harness.write(number);
		harness.drain();
		expect(harness.account.account(harness.lane, true)).toMatchObject(expected);
	}
});

test("RingAccount balances at every moment, whatever a producer does and however often it dies", async () => {
	const step = fc.record({
		kind: fc.constantFrom("write", "full", "position", "discard", "drain", "deliver", "die"),
		amount: fc.integer({ min: 1, max: 40 }),
	});
	await fc.assert(
		fc.asyncProperty(fc.constantFrom("live", "replayable"), fc.array(step, { maxLength: 40 }), async (delivery, steps) => {
			const harness = await opened(delivery);
			let number = 0;
			for (const { kind, amount } of steps) {
				for (let index = 0; index < amount && kind === "write"; index++) harness.write(++number);
				for (let index = 0; index < amount && kind === "full"; index++) harness.write(++number, 4000);
				if (kind === "position") harness.write(number, 64, kindPosition);
				else if (kind === "discard") harness.writer.count(counterOwn, amount);
				else if (kind === "drain") harness.drain();
				else if (kind === "deliver") await harness.deliver();
				else if (kind === "die") {
					await harness.deliver();
					harness.account.settle();
				}
				expect(imbalance(harness.account.account(harness.lane))).toBe(0);
				expect(imbalance(harness.account.account(harness.lane, true))).toBe(0);
			}
		}),
	);
});

test("RingAccount counts what is in the spool as in flight, what an earlier run left there as received, and what it drops by reason", async () => {
	const harness = await opened("live");
	for (let number = 1; number <= 10; number++) harness.write(number);
	await harness.deliver();
	const amount = (events: number) => ({ records: events > 0 ? 1 : 0, events });
	// Of the ten that the lane calls delivered, six went to the spool, where four were left over; three of all these arrived, one of them as nothing.
	const spool: SpooledAccount = {
		found: amount(4),
		stored: amount(6),
		acknowledged: amount(3),
		dropped: { spool_full: amount(2), spool_expired: amount(0), spool_damaged: amount(1), spool_unreadable: amount(0) },
		refused: noRefusals(),
		left: amount(4),
		bytes: 4096,
		faults: 0,
		tooLarge: 1,
		truncated: 0,
		unconfirmed: 0,
	};
	for (const ended of [false, true]) {
		const account = harness.account.account(harness.lane, ended, spool);
		expect(account).toMatchObject({ received: 14, published: 6, inFlight: 4, dropped: { spool_full: 2, spool_damaged: 1, too_large: 1 } });
		expect(imbalance(account)).toBe(0);
		expect(Object.keys(account.dropped)).toEqual(["too_large", "spool_full", "spool_damaged"]);
	}
});
