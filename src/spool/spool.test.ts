import { expect, test } from "bun:test";
import { readdirSync, statSync } from "node:fs";
import { SpoolDisk } from "../../test/support/spool-disk.ts";
import { drain, expectBalance, openTestSpool, recordOf, spoolFolder, spoolLane } from "../../test/support/spool-records.ts";
import { temporaryDirectory } from "../../test/support/temporary-directory.ts";
import { OperatingError } from "../base/errors.ts";
import { MiB } from "../base/units.ts";
import { systemSpoolFiles } from "../platform/spool-files.ts";
import { silentLog } from "../telemetry/log.ts";
import { inspectSpool } from "./inspect.ts";
import { openSpool } from "./open-spool.ts";
import { readFailuresMax } from "./reader.ts";
import { encodeHeader, payloadBytesMax } from "./segment.ts";

/** Bytes of a payload of which four fill a segment of a spool of 1 MiB. */
const quarter = 60_000;
const small = { maxBytes: MiB };

function append(spool: ReturnType<typeof openTestSpool>, from: number, to: number, bytes = 100): void {
	for (let number = from; number <= to; number++) expect(spool.append(recordOf(number, bytes))).toEqual({ status: "stored" });
}

test("Spool gives back what it was given, in order, across restarts on a real disk", () => {
	using folder = temporaryDirectory("spool");
	const open = () => openTestSpool(systemSpoolFiles, small, folder.path);
	{
		using spool = open();
		append(spool, 1, 12, quarter);
		expect(drain(spool).length).toBe(12);
		append(spool, 13, 20, quarter);
		expect(spool.head(0)).toEqual(recordOf(13, quarter));
		expect(spool.acknowledge(13)).toBe(true);
	}
	using spool = open();
	expect(spool.account.found).toEqual({ records: 7, events: 70 });
	expect([spool.end.number, spool.end.sequence]).toEqual([20, 200]);
	append(spool, 21, 22, quarter);
	expect(drain(spool)).toEqual(Array.from({ length: 9 }, (_, index) => recordOf(14 + index, quarter)));
	expectBalance(spool);
	spool[Symbol.dispose]();
	using drained = open();
	expect([drained.end.number, drained.end.sequence, drained.account.found.records]).toEqual([22, 220, 0]);
	const names = readdirSync(folder.join("spool", "kernel"));
	expect(names).toContain("position");
	for (const name of names) expect(statSync(folder.join("spool", "kernel", name)).mode & 0o777).toBe(0o600);
	expect(statSync(folder.join("spool", "kernel")).mode & 0o777).toBe(0o700);
});

test("Spool gives the same head until it is acknowledged, and knows no other number", () => {
	using spool = openTestSpool(new SpoolDisk());
	expect(spool.head(0)).toBeUndefined();
	expect(spool.acknowledge(1)).toBe(false);
	append(spool, 1, 2);
	expect(spool.acknowledge(1)).toBe(false);
	expect(spool.head(0)?.number).toBe(1);
	expect(spool.head(0)?.number).toBe(1);
	expect(spool.acknowledge(2)).toBe(false);
	expect(spool.acknowledge(1)).toBe(true);
	expect(spool.acknowledge(1)).toBe(false);
	expect(spool.head(0)).toEqual(recordOf(2));
	expectBalance(spool);
});

test("Spool removes a segment once everything in it is acknowledged, and keeps few", () => {
	const disk = new SpoolDisk();
	using spool = openTestSpool(disk, small);
	for (let number = 1; number <= 200; number++) {
		append(spool, number, number, quarter);
		if (number > 4) {
			expect(spool.head(0)).toEqual(recordOf(number - 4, quarter));
			expect(spool.acknowledge(number - 4)).toBe(true);
		}
		expect(disk.segments.length).toBeLessThanOrEqual(3);
	}
	expect(disk.openFiles).toBeLessThanOrEqual(3);
	expectBalance(spool);
});

test("Spool drops the oldest segments where it is full, and counts them", () => {
	const disk = new SpoolDisk();
	using spool = openTestSpool(disk, small);
	append(spool, 1, 100, quarter);
	const { left, dropped, bytes } = spool.account;
	expect(bytes).toBeLessThanOrEqual(MiB);
	expect(disk.used).toBeLessThanOrEqual(MiB + 8192);
	expect(left.records).toBeGreaterThan(8);
	expect(dropped.spool_full).toEqual({ records: 100 - left.records, events: 1000 - left.events });
	expect(drain(spool)[0]).toEqual(recordOf(101 - left.records, quarter));
	expectBalance(spool);
});

test("Spool counts a head that was delivered as acknowledged, though its segment had to give way meanwhile", () => {
	using spool = openTestSpool(new SpoolDisk(), small);
	append(spool, 1, 4, quarter);
	expect(spool.head(0)?.number).toBe(1);
	append(spool, 5, 40, quarter);
	expectBalance(spool);
	expect(spool.acknowledge(1)).toBe(true);
	expect(spool.account.acknowledged).toEqual({ records: 1, events: 10 });
	expectBalance(spool);
	const head = spool.head(0)?.number ?? 0;
	append(spool, 41, 80, quarter);
	expect(spool.head(0)?.number).toBeGreaterThan(head);
	expect(spool.acknowledge(head)).toBe(false);
	expectBalance(spool);
});

test("Spool drops what is older than max_age, at a tick and at the head", () => {
	using spool = openTestSpool(new SpoolDisk(), { maxAge: 100 });
	for (let number = 1; number <= 10; number++) spool.append(recordOf(number, 100, 10, number * 10));
	spool.tick(150);
	expect(spool.account.dropped.spool_expired).toEqual({ records: 4, events: 40 });
	expect(spool.head(161)).toEqual(recordOf(7, 100, 10, 70));
	// What is in the hands of the sink does not grow old.
	spool.tick(1000);
	expect(spool.acknowledge(7)).toBe(true);
	expect(spool.head(1000)).toBeUndefined();
	expect(spool.account.dropped.spool_expired).toEqual({ records: 9, events: 90 });
	expectBalance(spool);
});

test("Spool refuses what is too large or out of order, and goes on", () => {
	using spool = openTestSpool(new SpoolDisk(), small);
	expect(spool.append(recordOf(1, MiB))).toEqual({ status: "refused", reason: "spool_too_large" });
	expect(spool.append({ ...recordOf(1), lastCursor: "c".repeat(20_000) })).toEqual({ status: "refused", reason: "spool_too_large" });
	append(spool, 2, 2, MiB - 300);
	expect(spool.append(recordOf(2))).toEqual({ status: "refused", reason: "spool_order" });
	append(spool, 3, 3);
	expect(spool.account.dropped.spool_full.records).toBe(1);
	expect(drain(spool)).toEqual([recordOf(3)]);
	expect(spool.account.refused.spool_too_large).toEqual({ records: 2, events: 20 });
	using larger = openTestSpool(new SpoolDisk());
	expect(larger.append(recordOf(1, payloadBytesMax + 1))).toEqual({ status: "refused", reason: "spool_too_large" });
	append(larger, 1, 1, payloadBytesMax);
	expect(drain(larger)).toEqual([recordOf(1, payloadBytesMax)]);
});

test("Spool survives a full disk without a restart, and holds whole records only", () => {
	const disk = new SpoolDisk();
	using spool = openTestSpool(disk);
	append(spool, 1, 3, 1000);
	disk.capacity = disk.used + 500;
	for (let number = 4; number <= 6; number++)
		expect(spool.append(recordOf(number, 1000))).toMatchObject({ status: "refused", reason: "spool_failed" });
	expect(spool.fault?.code).toBe("spool_disk");
	disk.capacity = Number.POSITIVE_INFINITY;
	append(spool, 4, 4, 1000);
	expect(spool.fault).toBeUndefined();
	const reopened = openTestSpool(disk);
	expect(drain(reopened).map(({ number }) => number)).toEqual([1, 2, 3, 4]);
	expect(spool.account.refused.spool_failed).toEqual({ records: 3, events: 30 });
});

test("Spool begins a new segment where a refused record cannot be cut off, and never sends that record", () => {
	const disk = new SpoolDisk();
	const spool = openTestSpool(disk, { fsync: "always" });
	append(spool, 1, 2);
	disk.fails = (operation) => (operation === "sync" || operation === "truncate" ? "EIO" : undefined);
	expect(spool.append(recordOf(3))).toMatchObject({ status: "refused" });
	disk.fails = () => undefined;
	expect(spool.append({ ...recordOf(3), count: 1, firstSequence: 99, lastSequence: 99 })).toEqual({ status: "stored" });
	append(spool, 4, 4);
	using reopened = openTestSpool(disk);
	expect(reopened.account.found).toEqual({ records: 4, events: 31 });
	expect(inspectSpool(disk, spoolFolder)).toMatchObject({ left: { records: 4, events: 31 }, lost: { records: 0 } });
	expect(drain(reopened).map(({ number, firstSequence }) => [number, firstSequence])).toEqual([
		[1, 1],
		[2, 11],
		[3, 99],
		[4, 31],
	]);
	expect(reopened.account.dropped.spool_damaged.records).toBe(0);
});

test("Spool keeps a segment that has the name of one that could not be removed", () => {
	const disk = new SpoolDisk();
	using spool = openTestSpool(disk);
	disk.fails = (operation) => (operation === "write" || operation === "remove" ? "EIO" : undefined);
	expect(spool.append(recordOf(1))).toMatchObject({ status: "refused", reason: "spool_failed" });
	spool.tick(0);
	expect(disk.segments.length).toBe(1);
	disk.fails = () => undefined;
	append(spool, 1, 1);
	spool.tick(0);
	expect(disk.segments.length).toBe(1);
	expect(drain(spool)).toEqual([recordOf(1)]);
});

test("Spool syncs after every record, in intervals, or never", () => {
	const syncsOf = (fsync: "always" | "never" | number) => {
		const disk = new SpoolDisk();
		const spool = openTestSpool(disk, { fsync });
		const opened = disk.syncs;
		for (let number = 1; number <= 20; number++) {
			append(spool, number, number);
			spool.tick(number * 100);
		}
		return disk.syncs - opened;
	};
	expect(syncsOf("always")).toBe(20);
	expect(syncsOf(500)).toBe(4);
	expect(syncsOf("never")).toBe(0);
});

test("Spool cuts a torn tail off", () => {
	const disk = new SpoolDisk();
	append(openTestSpool(disk), 1, 3);
	const [path = ""] = disk.segments;
	const whole = disk.content(path);
	for (let cut = 1; cut <= 200; cut++) {
		disk.put(path, whole.slice(0, whole.length - cut));
		using spool = openTestSpool(disk);
		append(spool, 4, 4);
		expect(drain(spool).map(({ number }) => number)).toEqual(cut <= 190 ? [1, 2, 4] : [1, 4]);
		for (const name of ["position", ...disk.segments.map((each) => each.slice(spoolFolder.length + 1))]) disk.names.delete(`${spoolFolder}/${name}`);
	}
});

test("Spool skips what is damaged wherever one byte is, and counts it to the event", () => {
	const disk = new SpoolDisk();
	{
		using spool = openTestSpool(disk);
		for (let number = 1; number <= 5; number++) spool.append(recordOf(number, 20, number));
	}
	const [path = ""] = disk.segments;
	const whole = disk.content(path);
	const position = disk.content(`${spoolFolder}/position`);
	for (let at = 0; at < whole.length; at++) {
		const damaged = whole.slice();
		damaged[at] = (damaged[at] ?? 0) ^ 0x55;
		disk.put(`${spoolFolder}/position`, position);
		for (const each of disk.segments) disk.names.delete(each);
		disk.put(path, damaged);
		using spool = openTestSpool(disk);
		spool.append(recordOf(6, 20, 6));
		const numbers = drain(spool).map(({ number }) => number);
		const lost = [1, 2, 3, 4, 5, 6].filter((number) => !numbers.includes(number));
		expect(lost.length).toBeLessThanOrEqual(1);
		expect(numbers).toEqual([1, 2, 3, 4, 5, 6].filter((number) => !lost.includes(number)));
		// Behind the last record nothing tells of what was there.
		if (lost[0] !== 5) expect(spool.account.dropped.spool_damaged).toEqual({ records: lost.length, events: lost[0] ?? 0 });
		expectBalance(spool);
	}
});

test("Spool counts a segment that vanished by what its neighbours say", () => {
	const disk = new SpoolDisk();
	append(openTestSpool(disk, small), 1, 16, quarter);
	const [, second = "", third = ""] = disk.segments;
	disk.names.delete(second);
	disk.put(third, disk.content(third).fill(0));
	using spool = openTestSpool(disk, small);
	const numbers = drain(spool).map(({ number }) => number);
	expect(numbers).toEqual([1, 2, 3, 4, 13, 14, 15, 16]);
	expect(spool.account.dropped.spool_damaged).toEqual({ records: 8, events: 80 });
	expectBalance(spool);
});

test("Spool gives up the page that the disk cannot read, after trying again, and nothing else", () => {
	const disk = new SpoolDisk();
	using spool = openTestSpool(disk, small);
	append(spool, 1, 8, quarter);
	disk.fails = (operation, _count, range) =>
		operation === "read" && range !== undefined && range.from <= 70_000 && range.to > 70_000 ? "EIO" : undefined;
	expect(spool.head(0)?.number).toBe(1);
	spool.acknowledge(1);
	for (let times = 1; times < readFailuresMax; times++) expect(() => spool.head(0)).toThrow(/Read the spool/);
	expect(spool.fault?.code).toBe("spool_read");
	expect(spool.head(0)?.number).toBe(3);
	expect(spool.fault).toBeUndefined();
	expect(spool.account.dropped.spool_unreadable).toEqual({ records: 1, events: 10 });
	disk.fails = (operation) => (operation === "openRead" || operation === "read" ? "EMFILE" : undefined);
	for (let times = 0; times < 20; times++) expect(() => spool.head(0)).toThrow(/spool/);
	disk.fails = () => undefined;
	expect(drain(spool).map(({ number }) => number)).toEqual([3, 4, 5, 6, 7, 8]);
	expectBalance(spool);
});

test("Spool gives up a segment that cannot be opened, after trying again, and goes on behind it", () => {
	const disk = new SpoolDisk();
	using spool = openTestSpool(disk, small);
	append(spool, 1, 8, quarter);
	disk.fails = (operation) => (operation === "openRead" ? "EIO" : undefined);
	for (let times = 1; times < readFailuresMax; times++) expect(() => spool.head(0)).toThrow(/Read the spool/);
	let opens = 0;
	disk.fails = (operation) => (operation === "openRead" && opens++ < 2 ? "EIO" : undefined);
	expect(spool.head(0)?.number).toBe(5);
	expect(spool.account.dropped.spool_unreadable).toEqual({ records: 4, events: 40 });
	expectBalance(spool);
});

test("openSpool() reads around a page that the disk cannot read", () => {
	const disk = new SpoolDisk();
	append(openTestSpool(disk, small), 1, 4, quarter);
	disk.fails = (operation, _count, range) =>
		operation === "read" && range !== undefined && range.from <= 70_000 && range.to > 70_000 ? "EIO" : undefined;
	using spool = openTestSpool(disk, small);
	append(spool, 5, 5, quarter);
	const numbers: number[] = [];
	for (let times = 0; times < 20; times++) {
		try {
			const head = spool.head(0);
			if (head === undefined) break;
			numbers.push(head.number);
			spool.acknowledge(head.number);
		} catch (error) {
			expect(error).toBeInstanceOf(OperatingError);
		}
	}
	expect(numbers).toEqual([1, 3, 4, 5]);
	expectBalance(spool);
});

test("openSpool() refuses a newer version, another lane and what is no segment, and leaves them alone", () => {
	const before = { records: 0, events: 0 };
	const lane = spoolLane;
	const path = `${spoolFolder}/0000000000000001.segment`;
	const refusal = (content: Uint8Array) => {
		const disk = new SpoolDisk();
		disk.put(path, content);
		expect(() => openTestSpool(disk)).toThrow(OperatingError);
		expect(disk.content(path)).toEqual(content);
		expect(disk.openFiles).toBe(0);
		try {
			openTestSpool(disk);
		} catch (error) {
			if (error instanceof OperatingError) return error;
		}
		throw new Error("It was opened");
	};
	expect(refusal(encodeHeader({ lane: { ...lane, id: "ff" }, number: 1, before, time: 0 })).message).toContain("belongs to another lane");
	expect(refusal(encodeHeader({ lane: { ...lane, name: "dns" }, number: 1, before, time: 0 })).message).toContain("belongs to the lane dns");
	expect(refusal(new TextEncoder().encode("#!/bin/sh\nexit 0\n")).message).toContain("is none");
	const newer = encodeHeader({ lane, number: 1, before, time: 0 });
	newer[8] = 2;
	newer.fill(0, 16, 20);
	new DataView(newer.buffer).setUint32(16, Bun.hash.crc32(newer), true);
	expect(refusal(newer).code).toBe("spool_newer");
	expect(refusal(newer).hint).toContain("newer agent");
});

test("openSpool() leaves alone what is not a segment by name, and removes what a crash left empty", () => {
	const disk = new SpoolDisk();
	disk.put(`${spoolFolder}/notes.txt`, Uint8Array.of(1));
	disk.put(`${spoolFolder}/17.segment`, Uint8Array.of(2));
	disk.put(`${spoolFolder}/0000000000000001.segment`, new Uint8Array(100));
	disk.put(`${spoolFolder}/0000000000000002.segment`, new Uint8Array(0));
	using spool = openTestSpool(disk);
	expect([...disk.names.keys()].sort()).toEqual([`${spoolFolder}/17.segment`, `${spoolFolder}/notes.txt`, `${spoolFolder}/position`]);
	append(spool, 1, 1);
	expect(drain(spool)).toEqual([recordOf(1)]);
});

test("openSpool() sends again, and never skips, where the position is lost", () => {
	const disk = new SpoolDisk();
	{
		using spool = openTestSpool(disk);
		append(spool, 1, 4);
		expect(spool.head(0)?.number).toBe(1);
		spool.acknowledge(1);
	}
	disk.put(`${spoolFolder}/position`, new Uint8Array(5000));
	using spool = openTestSpool(disk);
	expect(drain(spool).map(({ number }) => number)).toEqual([1, 2, 3, 4]);
});

test("openSpool() takes no record of another lane for its own, though nothing else tells", () => {
	const other = new SpoolDisk();
	const limits = { ...small, maxAge: Number.POSITIVE_INFINITY, fsync: "never" } as const;
	const foreign = openSpool("/s", { ...spoolLane, id: "ff" }, limits, { files: other, log: silentLog });
	for (let number = 1; number <= 9; number++) foreign.append(recordOf(number));
	const disk = new SpoolDisk();
	append(openTestSpool(disk), 1, 3);
	disk.put(`${spoolFolder}/0000000000000004.segment`, other.content(other.segments[0] ?? "").fill(0, 0, 40));
	using spool = openTestSpool(disk);
	expect(drain(spool).map(({ number }) => number)).toEqual([1, 2, 3]);
	expectBalance(spool);
});

test("openSpool() names the step and the way out where the disk refuses", () => {
	const disk = new SpoolDisk();
	disk.fails = () => "EACCES";
	expect(() => openTestSpool(disk)).toThrow(/Open the spool of the lane kernel in \/s\/spool\/kernel/);
});

test("Spool is disposed twice without harm", () => {
	const disk = new SpoolDisk();
	const spool = openTestSpool(disk, { fsync: 1000 });
	append(spool, 1, 1);
	spool[Symbol.dispose]();
	spool[Symbol.dispose]();
	expect(disk.openFiles).toBe(0);
});
