import { expect, test } from "bun:test";
import fc from "fast-check";
import { OperatingError } from "../../src/base/errors.ts";
import { MiB } from "../../src/base/units.ts";
import { inspectSpool } from "../../src/spool/inspect.ts";
import { recordMagic, segmentMagic } from "../../src/spool/segment.ts";
import { SpoolDisk } from "../support/spool-disk.ts";
import { expectBalance, openTestSpool, recordOf, spoolFolder } from "../support/spool-records.ts";

/** The files of a spool with several segments, some of it acknowledged. */
function seedFiles(): Map<string, Uint8Array> {
	const disk = new SpoolDisk();
	const spool = openTestSpool(disk, { maxBytes: MiB });
	for (let number = 1; number <= 9; number++) spool.append(recordOf(number, number === 5 ? 200_000 : 400 * number, number));
	spool.append(recordOf(10, 200_000, 1));
	for (let number = 11; number <= 14; number++) spool.append(recordOf(number, 60, 2));
	spool.head(0);
	spool.acknowledge(1);
	spool[Symbol.dispose]();
	return new Map([...disk.names].map(([name, { content }]) => [name, content]));
}

const seeds = seedFiles();
const paths = [...seeds.keys()];
/** Milliseconds for a test of many rounds on a busy machine. */
const deadline = 60_000;
/** Records that are in the files. */
const recordsMax = 14;

const piece = fc.oneof(
	fc.uint8Array({ minLength: 1, maxLength: 200 }),
	fc.constantFrom(recordMagic, segmentMagic, new Uint8Array(8), new Uint8Array(80).fill(255)),
	// A stretch of another file, or of the same one: whole records and headers in the wrong place.
	fc.record({ from: fc.nat(), path: fc.nat(), length: fc.integer({ min: 1, max: 5000 }) }).map(({ from, path, length }) => {
		const content = seeds.get(paths[path % paths.length] ?? "") ?? new Uint8Array(0);
		return content.slice(from % content.length, (from % content.length) + length);
	}),
);
const near = fc.oneof(fc.nat(), fc.nat({ max: 400 }));
const edit = fc.oneof(
	fc.record({ kind: fc.constant("put" as const), path: fc.nat(), at: near, piece }),
	fc.record({ kind: fc.constant("cut" as const), path: fc.nat(), at: near }),
	fc.record({ kind: fc.constant("append" as const), path: fc.nat(), piece }),
	fc.record({ kind: fc.constant("remove" as const), path: fc.nat() }),
	fc.record({ kind: fc.constant("copy" as const), path: fc.nat(), to: fc.constantFrom(1, 3, 5, 10, 99) }),
);

function mutate(disk: SpoolDisk, edits: readonly (typeof edit extends fc.Arbitrary<infer T> ? T : never)[]): void {
	for (const [name, content] of seeds) disk.put(name, content.slice());
	for (const each of edits) {
		const path = paths[each.path % paths.length] ?? "";
		const content = disk.content(path);
		if (each.kind === "remove") disk.names.delete(path);
		else if (each.kind === "cut") disk.put(path, content.slice(0, content.length - (each.at % (content.length + 1))));
		else if (each.kind === "append") disk.put(path, Buffer.concat([content, each.piece]));
		else if (each.kind === "copy") disk.put(`${spoolFolder}/${String(each.to).padStart(16, "0")}.segment`, content);
		else if (content.length > 0) {
			content.set(each.piece.subarray(0, content.length - (each.at % content.length)), each.at % content.length);
			disk.put(path, content);
		}
	}
}

test(
	"Spool reads files of any content without an error but its own, comes to an end, and keeps its account",
	() => {
		let opened = 0;
		let refused = 0;
		let lost = 0;
		fc.assert(
			fc.property(fc.array(edit, { minLength: 1, maxLength: 5 }), (edits) => {
				const disk = new SpoolDisk();
				mutate(disk, edits);
				try {
					const spool = openTestSpool(disk, { maxBytes: MiB });
					opened++;
					expectBalance(spool);
					let last = 0;
					for (let times = 0; ; times++) {
						expect(times).toBeLessThanOrEqual(recordsMax);
						const record = spool.head(0);
						if (record === undefined) break;
						// Whatever was done to the files: what comes out is what was put in, in order.
						expect(record.number).toBeGreaterThan(last);
						last = record.number;
						expect(record.payload).toEqual(recordOf(record.number, record.payload.length).payload);
						expect(spool.acknowledge(record.number)).toBe(true);
					}
					lost += spool.account.dropped.spool_damaged.records;
					expectBalance(spool);
					expect(spool.append(recordOf(1000))).toEqual({ status: "stored" });
					expect(spool.head(0)).toEqual(recordOf(1000));
				} catch (error) {
					if (!(error instanceof OperatingError)) throw error;
					refused++;
					expect(["spool_foreign", "spool_newer"]).toContain(error.code);
				}
			}),
			{ numRuns: 800 },
		);
		expect(opened).toBeGreaterThan(400);
		expect(refused).toBeGreaterThan(10);
		expect(lost).toBeGreaterThan(100);
	},
	deadline,
);

test(
	"inspectSpool() describes files of any content, changes none, and comes to an end",
	() => {
		fc.assert(
			fc.property(fc.array(edit, { minLength: 1, maxLength: 5 }), (edits) => {
				const disk = new SpoolDisk();
				mutate(disk, edits);
				const before = new Map([...disk.names].map(([name, { content }]) => [name, content]));
				const report = inspectSpool(disk, spoolFolder);
				expect(JSON.stringify(report).length).toBeGreaterThan(10);
				for (const [name, { content }] of disk.names) expect(content).toBe(before.get(name) ?? new Uint8Array(0));
				expect(disk.openFiles).toBe(0);
			}),
			{ numRuns: 300 },
		);
	},
	deadline,
);
