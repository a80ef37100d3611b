import { expect, test } from "bun:test";
import fc from "fast-check";
import { imbalance, type LedgerAccount } from "./ledger.ts";
import { addAccounts, continueHistory, type LaneStanding, type LedgerHistory, settleAccount } from "./ledger-history.ts";

const quiet: LedgerAccount = { received: 0, derived: 0, published: 0, dropped: {}, discarded: {}, lost: {}, inFlight: 0, truncated: 0 };
const first = "2026-01-02T03:04:05.000Z";
const later = "2026-01-03T03:04:05.000Z";

test("addAccounts() adds every count, reason by reason", () => {
	const one: LedgerAccount = {
		...quiet,
		received: 9,
		derived: 1,
		published: 3,
		dropped: { ring_full: 2 },
		discarded: { own: 1 },
		inFlight: 4,
		truncated: 1,
	};
	const two: LedgerAccount = { ...quiet, received: 5, published: 2, dropped: { ring_full: 1, too_large: 2 }, lost: { vacuumed: 7 } };
	expect(addAccounts(one, two)).toEqual({
		received: 14,
		derived: 1,
		published: 5,
		dropped: { ring_full: 3, too_large: 2 },
		discarded: { own: 1 },
		lost: { vacuumed: 7 },
		inFlight: 4,
		truncated: 1,
	});
});

test("settleAccount() counts what the stream holds beyond the history, and forgets what was in flight", () => {
	const before = {
		lane: "a",
		reached: 80,
		since: first,
		run: quiet,
		total: { ...quiet, received: 100, published: 80, dropped: { ring_full: 5 }, inFlight: 15 },
	};
	expect(settleAccount(before, { lane: "a", found: 90, reached: 90 })).toMatchObject({ received: 95, published: 90, inFlight: 0 });
	// The stream went back, or the lane is another one: nothing is known beyond the history.
	expect(settleAccount(before, { lane: "a", found: 70, reached: 90 })).toMatchObject({ received: 85, published: 80 });
	expect(settleAccount(before, { lane: "b", found: 500, reached: 500 })).toMatchObject({ received: 85, published: 80 });
});

test("continueHistory() keeps collectors that do not run, and what is not known yet", () => {
	const before: LedgerHistory = {
		systemd: { lane: "a", reached: 3, since: first, run: quiet, total: { ...quiet, received: 4, published: 3, inFlight: 1 } },
	};
	expect(continueHistory(before, {}, {}, later)).toEqual(before);
	const run = { ...quiet, received: 2, inFlight: 2 };
	const { systemd, kernel } = continueHistory(before, { systemd: run, kernel: run }, { systemd: undefined }, later);
	expect(systemd).toEqual({ lane: "a", reached: 3, since: first, run, total: { ...quiet, received: 6, published: 3, inFlight: 3 } });
	expect(kernel).toEqual({ lane: "", reached: 0, since: later, run, total: run });
});

/** One run of a live collector: what it moves between two writings of the history, and whether the last thing it does is never written. */
interface Run {
	readonly steps: readonly { readonly read: number; readonly drop: number; readonly publish: number }[];
	readonly killedBehind: boolean;
	/** Of the batch in flight at a kill: whether it reached the stream. */
	readonly arrived: boolean;
}

test("continueHistory() is balanced and knows every event that was ever published, whatever ended the runs", () => {
	const step = fc.record({ read: fc.nat(50), drop: fc.nat(5), publish: fc.nat(60) });
	const run: fc.Arbitrary<Run> = fc.record({ steps: fc.array(step, { maxLength: 6 }), killedBehind: fc.boolean(), arrived: fc.boolean() });
	fc.assert(
		fc.property(fc.array(run, { minLength: 1, maxLength: 8 }), (runs) => {
			let history: LedgerHistory = {};
			let published = 0;
			// Events in the stream, and those that ever had a number.
			let stored = 0;
			let given = 0;
			for (const { steps, killedBehind, arrived } of runs) {
				const before = history;
				const unconfirmed = given - stored;
				const found = stored;
				let reached = stored;
				let account: LedgerAccount = unconfirmed > 0 ? { ...quiet, lost: { previous_run: unconfirmed } } : quiet;
				const save = () => {
					const standing: LaneStanding = { lane: "lane", found, reached };
					history = continueHistory(before, { kernel: account }, { kernel: standing }, first);
					expect(imbalance(history["kernel"]?.total ?? quiet)).toBe(0);
				};
				save();
				for (const [index, { read, drop, publish }] of steps.entries()) {
					const inFlight = account.inFlight + read;
					const out = Math.min(publish, inFlight);
					const dropped = { ring_full: (account.dropped["ring_full"] ?? 0) + drop };
					account = { ...account, received: account.received + read + drop, published: account.published + out, dropped, inFlight: inFlight - out };
					published += out;
					reached += out;
					stored = out > 0 ? reached : stored;
					given = Math.max(given, reached);
					if (index < steps.length - 1 || !killedBehind) save();
				}
				// The batch on its way when the run was killed took its numbers, and may be in the stream.
				if (killedBehind && account.inFlight > 0) {
					given = reached + account.inFlight;
					if (arrived) {
						published += account.inFlight;
						stored = given;
					}
				}
			}
			const total =
				continueHistory(history, { kernel: quiet }, { kernel: { lane: "lane", found: stored, reached: stored } }, first)["kernel"]?.total ?? quiet;
			expect(imbalance(total)).toBe(0);
			expect(total.published).toBe(published);
		}),
		{ numRuns: 2000 },
	);
});
