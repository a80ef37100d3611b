import { expect, test } from "bun:test";
import fc from "fast-check";
import { SpoolDisk } from "../../test/support/spool-disk.ts";
import { expectBalance, openTestSpool, recordOf } from "../../test/support/spool-records.ts";
import { MiB } from "../base/units.ts";
import type { SpoolRecord } from "./record.ts";

const step = fc.oneof(
	{
		weight: 8,
		arbitrary: fc.record({
			kind: fc.constant("append" as const),
			bytes: fc.constantFrom(1, 500, 30_000, 90_000, 240_000),
			count: fc.integer({ min: 1, max: 50 }),
		}),
	},
	{ weight: 3, arbitrary: fc.record({ kind: fc.constant("head" as const) }) },
	{ weight: 4, arbitrary: fc.record({ kind: fc.constant("acknowledge" as const) }) },
	{ weight: 2, arbitrary: fc.record({ kind: fc.constant("drain" as const), most: fc.nat({ max: 12 }) }) },
	{ weight: 2, arbitrary: fc.record({ kind: fc.constant("wait" as const), for: fc.integer({ min: 1, max: 400 }) }) },
	{ weight: 1, arbitrary: fc.record({ kind: fc.constant("reopen" as const), kills: fc.boolean() }) },
);
const limits = fc.record({
	maxBytes: fc.constantFrom(MiB, 2 * MiB, 64 * MiB),
	maxAge: fc.constantFrom(300, Number.POSITIVE_INFINITY),
	fsync: fc.constantFrom("always" as const, "never" as const, 50),
});

/** Milliseconds for a test of many rounds on a busy machine. */
const deadline = 60_000;

test(
	"Spool does what a list does that forgets its oldest, whatever it is asked for and however often it is opened",
	() => {
		let reopened = 0;
		let given = 0;
		let dropped = 0;
		fc.assert(
			fc.property(limits, fc.integer({ min: 1, max: 5 }), fc.array(step, { minLength: 10, maxLength: 80, size: "max" }), (limit, gap, steps) => {
				const disk = new SpoolDisk();
				let spool = openTestSpool(disk, limit);
				/** What must be there, oldest first: everything that was appended and neither acknowledged nor seen to be dropped. */
				let list: SpoolRecord[] = [];
				let now = 0;
				let number = 0;
				let held: SpoolRecord | undefined;
				const look = () => {
					const head = spool.head(now);
					// What stands before the head is gone, for a reason that the account gives.
					const at = head === undefined ? list.length : list.findIndex((record) => record.number === head.number);
					expect(at).toBeGreaterThanOrEqual(0);
					dropped += at;
					list = list.slice(at);
					if (head !== undefined) expect([head]).toEqual(list.slice(0, 1));
					held = head;
					expect(spool.account.left.records).toBe(list.length);
					if (limit.maxAge !== 300 && limit.maxBytes > 20 * MiB) expect(at).toBe(0);
				};
				const acknowledge = () => {
					if (held === undefined) return;
					if (spool.acknowledge(held.number) && list[0]?.number === held.number) list.shift();
					given++;
					held = undefined;
				};
				for (const action of steps) {
					if (action.kind === "append") {
						number += gap;
						const record = recordOf(number, action.bytes, action.count, now);
						expect(spool.append(record).status).toBe("stored");
						list.push(record);
					} else if (action.kind === "head") look();
					else if (action.kind === "acknowledge") acknowledge();
					else if (action.kind === "wait") {
						now += action.for;
						spool.tick(now);
					} else if (action.kind === "drain") {
						for (let times = 0; times < action.most; times++) {
							look();
							acknowledge();
						}
					} else {
						const { left } = spool.account;
						const lease = held;
						if (!action.kills) spool[Symbol.dispose]();
						spool = openTestSpool(disk, limit);
						reopened++;
						// What the sink had in its hands as it was dropped is gone with the process.
						expect(left.records - spool.account.found.records).toBeLessThanOrEqual(lease === undefined ? 0 : 1);
						held = undefined;
					}
					expectBalance(spool);
					expect(spool.account.bytes).toBeLessThanOrEqual(limit.maxBytes);
					expect(spool.account.faults).toBe(0);
					expect(disk.segments.length).toBeLessThan(12);
				}
				for (look(); held !== undefined; look()) acknowledge();
				expect(spool.account.left).toEqual({ records: 0, events: 0 });
				expect(spool.account.dropped.spool_damaged.records).toBe(0);
			}),
			{ numRuns: 150 },
		);
		expect(reopened).toBeGreaterThan(100);
		expect(given).toBeGreaterThan(500);
		expect(dropped).toBeGreaterThan(20);
	},
	deadline,
);
