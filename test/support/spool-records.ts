import { expect } from "bun:test";
import type { SpoolFiles } from "../../src/platform/spool-files.ts";
import { type Amount, plus } from "../../src/spool/account.ts";
import { openSpool } from "../../src/spool/open-spool.ts";
import type { SpoolLimits, SpoolRecord } from "../../src/spool/record.ts";
import type { Spool } from "../../src/spool/spool.ts";
import { silentLog } from "../../src/telemetry/log.ts";

/** The lane of the tests. */
export const spoolLane = { name: "kernel", id: "0123456789abcdef0123456789abcdef" };
/** Its folder in the state folder `/s`. */
export const spoolFolder = "/s/spool/kernel";
const roomy: SpoolLimits = { maxBytes: 64 * 1024 * 1024, maxAge: Number.POSITIVE_INFINITY, fsync: "never" };

/** Opens the spool of the tests. */
export function openTestSpool(files: SpoolFiles, limits: Partial<SpoolLimits> = {}, directory = "/s"): Spool {
	return openSpool(directory, spoolLane, { ...roomy, ...limits }, { files, log: silentLog });
}

/** A record whose content follows from its number: `count` events of sequences that leave no gaps, where all have the same count. */
export function recordOf(number: number, bytes = 100, count = 10, time = 1000 + number): SpoolRecord {
	const payload = new Uint8Array(bytes);
	for (let index = 0; index < bytes; index++) payload[index] = (number * 31 + index * 7) & 0xff;
	return { number, run: 1, count, firstSequence: (number - 1) * count + 1, lastSequence: number * count, lastCursor: `c${number}`, time, payload };
}

/** Takes everything out in front, acknowledged. */
export function drain(spool: Spool, now = 0): SpoolRecord[] {
	const records: SpoolRecord[] = [];
	for (let record = spool.head(now); record !== undefined; record = spool.head(now)) {
		records.push(record);
		expect(spool.acknowledge(record.number)).toBe(true);
	}
	return records;
}

/** Fails unless found + stored = acknowledged + dropped + left. */
export function expectBalance(spool: Spool): void {
	const { found, stored, acknowledged, dropped, left } = spool.account;
	const out = Object.values(dropped).reduce((sum: Amount, each) => plus(sum, each), plus(acknowledged, left));
	expect(out).toEqual(plus(found, stored));
	for (const { records, events } of [found, stored, acknowledged, left, ...Object.values(dropped)]) {
		expect(records).toBeGreaterThanOrEqual(0);
		expect(events).toBeGreaterThanOrEqual(records);
	}
}
