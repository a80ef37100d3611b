import { expect, test } from "bun:test";
import { mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { testNeeding } from "../../test/support/requires.ts";
import { type DiskOperation, SpoolDisk } from "../../test/support/spool-disk.ts";
import { drain, expectBalance, openTestSpool, recordOf } from "../../test/support/spool-records.ts";
import { temporaryDirectory } from "../../test/support/temporary-directory.ts";
import { OperatingError } from "../base/errors.ts";
import { MiB } from "../base/units.ts";
import { systemSpoolFiles } from "../platform/spool-files.ts";
import type { FsyncPolicy } from "./record.ts";
import { spentMax } from "./shelf.ts";
import type { Spool } from "./spool.ts";

/** Milliseconds for a test of many rounds on a busy machine. */
const deadline = 60_000;
/** Bytes of a payload of which four fill a segment of a spool of 1 MiB. */
const quarter = 60_000;

/** Does what may fail with nothing but an OperatingError, again until it succeeds. */
function persist<T>(work: () => T): T {
	for (let attempt = 0; attempt < 12; attempt++) {
		try {
			return work();
		} catch (error) {
			if (!(error instanceof OperatingError)) throw error;
		}
	}
	throw new Error("It never succeeds");
}

/** A life of a spool with several segments, opened twice, that ends with everything sent. Returns what was stored and what was read. */
function live(disk: SpoolDisk, fsync: FsyncPolicy): { readonly stored: number[]; readonly read: number[]; readonly dropped: number } {
	const stored: number[] = [];
	const read: number[] = [];
	let dropped = 0;
	let number = 0;
	const take = (spool: Spool, most: number) => {
		for (let times = 0; times < most; times++) {
			const record = persist(() => spool.head(0));
			if (record === undefined) return;
			expect(record).toEqual(recordOf(record.number, quarter));
			read.push(record.number);
			spool.acknowledge(record.number);
		}
	};
	for (const [amount, most] of [
		[6, 3],
		[7, 100],
	] as const) {
		const spool = persist(() => openTestSpool(disk, { maxBytes: MiB, fsync }));
		for (let index = 0; index < amount; index++) {
			const outcome = spool.append(recordOf(++number, quarter));
			if (outcome.status === "stored") stored.push(number);
			else expect(outcome.reason).toBe("spool_failed");
			spool.tick(number * 40);
			expectBalance(spool);
		}
		take(spool, most);
		spool.tick(number * 40);
		expectBalance(spool);
		dropped += Object.values(spool.account.dropped).reduce((sum, { records }) => sum + records, 0);
		spool[Symbol.dispose]();
		expect(disk.openFiles).toBe(0);
	}
	return { stored, read, dropped };
}

/** Each kind of failure: a code, how many operations in a row fail, and which. */
const kinds: readonly { readonly name: string; readonly code: string; readonly row: number; readonly only?: DiskOperation }[] = [
	{ name: "one operation", code: "EIO", row: 1 },
	{ name: "two operations in a row", code: "EIO", row: 2 },
	{ name: "nine operations in a row", code: "ENOSPC", row: 9 },
	{ name: "a write and every cut", code: "ENOSPC", row: Number.POSITIVE_INFINITY, only: "truncate" },
	{ name: "every removal", code: "EIO", row: Number.POSITIVE_INFINITY, only: "remove" },
];

for (const fsync of ["always", 100, "never"] as const) {
	for (const { name, code, row, only } of kinds) {
		test(
			`Spool with fsync ${fsync} survives that the disk fails in ${name}, at every place`,
			() => {
				const operations = (() => {
					const disk = new SpoolDisk();
					live(disk, fsync);
					return disk.operations;
				})();
				expect(operations).toBeGreaterThan(60);
				for (let n = 1; n <= operations; n++) {
					const disk = new SpoolDisk();
					disk.partial = (n * 977) % quarter;
					disk.writeMost = n % 2 === 0 ? 20_000 : Number.POSITIVE_INFINITY;
					disk.fails = (operation, count) => {
						if (only !== undefined && operation === only) return count >= n && count < n + 60 ? code : undefined;
						return count >= n && count < n + (only === undefined ? row : 1) ? code : undefined;
					};
					const { stored, read, dropped } = live(disk, fsync);
					const again = read.filter((number, index) => read.indexOf(number) !== index);
					const lost = stored.filter((number) => !read.includes(number));
					// Sent twice may be what was acknowledged while the position could not be written; what is not sent was given up by the account.
					expect(again.length).toBeLessThanOrEqual(3);
					expect(lost.length).toBeLessThanOrEqual(dropped);
					if (row === 1) expect(lost).toEqual([]);
					// A record that was refused and could be neither cut off nor voided may be sent after all.
					for (const number of read) if (!stored.includes(number)) expect(row).toBeGreaterThan(1);
					expect(new Set(read).size).toBeGreaterThanOrEqual(2);
				}
			},
			deadline,
		);
	}
}

test("Spool stores nothing more where too many old files cannot be removed, and goes on when they can", () => {
	const disk = new SpoolDisk();
	const spool = openTestSpool(disk, { maxBytes: MiB });
	disk.fails = (operation) => (operation === "remove" ? "EACCES" : undefined);
	let refused = 0;
	for (let number = 1; number <= 5 * spentMax; number++) if (spool.append(recordOf(number, quarter)).status === "refused") refused++;
	expect(refused).toBeGreaterThan(0);
	expect(disk.segments.length).toBeLessThanOrEqual(spentMax + 8);
	disk.fails = () => undefined;
	spool.tick(0);
	expect(disk.segments.length).toBeLessThanOrEqual(8);
	expect(spool.append(recordOf(5 * spentMax + 1))).toEqual({ status: "stored" });
	expectBalance(spool);
});

testNeeding("root", "Spool fills a small file system up, and goes on when there is room again", () => {
	using folder = temporaryDirectory("spool-full");
	const mount = folder.join("small");
	mkdirSync(mount);
	const run = (...words: string[]) => Bun.spawnSync(words, { stdio: ["ignore", "ignore", "pipe"] });
	const mounted = run("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", mount);
	expect(mounted.stderr.toString()).toBe("");
	try {
		using spool = openTestSpool(systemSpoolFiles, { maxBytes: 8 * MiB, fsync: "always" }, mount);
		const stored: number[] = [];
		let number = 0;
		const fill = () => {
			for (let times = 0; times < 60; times++) if (spool.append(recordOf(++number, 100_000)).status === "stored") stored.push(number);
		};
		fill();
		expect(stored.length).toBeGreaterThan(30);
		expect(spool.account.refused.spool_failed.records).toBe(60 - stored.length);
		expect(spool.fault?.message).toContain("kernel");
		{
			using other = openTestSpool(systemSpoolFiles, { maxBytes: 8 * MiB }, mount);
			expect(other.account.found.records).toBe(stored.length);
		}
		for (let times = 0; times < 30; times++) {
			expect(spool.head(0)?.number).toBe(stored[times] ?? 0);
			spool.acknowledge(stored[times] ?? 0);
		}
		const before = stored.length;
		fill();
		expect(stored.length).toBeGreaterThan(before);
		// Somebody else takes the rest of the room, and gives it back.
		drain(spool);
		writeFileSync(`${mount}/other`, new Uint8Array(statSync(mount).blksize));
		rmSync(`${mount}/other`);
		expect(spool.append(recordOf(++number, 100_000))).toEqual({ status: "stored" });
		expect(spool.fault).toBeUndefined();
		expect(drain(spool)).toEqual([recordOf(number, 100_000)]);
		expectBalance(spool);
	} finally {
		run("umount", "-l", mount);
	}
});
