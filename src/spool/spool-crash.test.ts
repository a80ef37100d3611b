import { expect, test } from "bun:test";
import { join } from "node:path";
import { SpoolDisk } from "../../test/support/spool-disk.ts";
import { drain, expectBalance, openTestSpool, recordOf } from "../../test/support/spool-records.ts";
import { temporaryDirectory } from "../../test/support/temporary-directory.ts";
import { MiB } from "../base/units.ts";
import { systemSpoolFiles } from "../platform/spool-files.ts";
import type { FsyncPolicy, SpoolRecord } from "./record.ts";
import type { Spool } from "./spool.ts";

/** Rounds of each test; a seed each. */
const rounds = 100;
/** Milliseconds for a test of many rounds on a busy machine. */
const deadline = 60_000;

/** A generator that gives the same numbers for the same seed. */
function seeded(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

interface Life {
	readonly disk: SpoolDisk;
	readonly random: () => number;
	/** Everything whose append returned "stored". */
	readonly stored: Map<number, SpoolRecord>;
	/** Everything that was given to `append`. */
	readonly tried: Map<number, SpoolRecord>;
	readonly acknowledged: Set<number>;
	number: number;
}

function newLife(seed: number): Life {
	return { disk: new SpoolDisk(), random: seeded(seed), stored: new Map(), tried: new Map(), acknowledged: new Set(), number: 0 };
}

/** Works with a spool for a while: it grows, is drained a little unless told otherwise, is ticked. */
function work(life: Life, spool: Spool, steps: number, drains = true): void {
	const { random } = life;
	for (let step = 0; step < steps; step++) {
		const choice = random();
		if (choice < 0.6) {
			const record = recordOf(++life.number, 1 + Math.floor(random() * random() * 120_000), 1 + Math.floor(random() * 9), step);
			life.tried.set(record.number, record);
			if (spool.append(record).status === "stored") life.stored.set(record.number, record);
		} else if (choice < 0.9) {
			const head = drains ? spool.head(0) : undefined;
			if (head !== undefined && spool.acknowledge(head.number)) life.acknowledged.add(head.number);
		} else spool.tick(step * 100);
	}
}

/** What is read after a crash: in order, nothing that was not appended, each record as it was. */
function expectHonest(life: Life, records: readonly SpoolRecord[]): void {
	let last = 0;
	for (const record of records) {
		expect(record.number).toBeGreaterThan(last);
		last = record.number;
		expect(record).toEqual(life.tried.get(record.number) ?? recordOf(0));
	}
}

const missing = (life: Life, records: readonly SpoolRecord[]) => {
	const numbers = new Set(records.map(({ number }) => number));
	return [...life.stored.keys()].filter((number) => !numbers.has(number) && !life.acknowledged.has(number));
};

const limits = { maxBytes: 64 * MiB };

for (const fsync of ["always", "never", 200] as const) {
	test(
		`Spool gives back every record that was stored after kill -9 with fsync ${fsync}`,
		() => {
			for (let seed = 1; seed <= rounds; seed++) {
				const life = newLife(seed);
				for (let run = 0; run < 3; run++) {
					const spool = openTestSpool(life.disk, { ...limits, fsync });
					// The process ends in the middle of some operation, which leaves a part of a write or nothing.
					const end = Math.floor(life.random() * 120) + life.disk.operations;
					life.disk.partial = Math.floor(life.random() * 3000);
					life.disk.fails = (_operation, count) => (count > end ? "EIO" : undefined);
					try {
						work(life, spool, 40);
					} catch {
						// A dead process reads nothing.
					}
					life.disk.fails = () => undefined;
					life.disk.kill();
				}
				using spool = openTestSpool(life.disk, { ...limits, fsync });
				const records = drain(spool);
				expectHonest(life, records);
				expect(missing(life, records)).toEqual([]);
				expect(spool.account.dropped.spool_damaged.records).toBe(0);
				expectBalance(spool);
			}
		},
		deadline,
	);
}

/** Loses the power at the end of several lives on one disk, with small segments, and hands over what is read at the end. */
function losePowerOften(seed: number, fsync: FsyncPolicy, judge: (life: Life, records: readonly SpoolRecord[], spool: Spool) => void): void {
	const life = newLife(seed);
	for (let run = 0; run < 4; run++) {
		{
			const spool = openTestSpool(life.disk, { maxBytes: 4 * MiB, fsync });
			expectBalance(spool);
			work(life, spool, Math.floor(life.random() * 40));
			expect(spool.account.dropped.spool_full.records).toBe(0);
			life.disk.losePower(life.random);
		}
		using spool = openTestSpool(life.disk, { maxBytes: 4 * MiB, fsync });
		// In half of the lives it is not read yet, so that damage grows old.
		if (life.random() < 0.5) continue;
		const records = drain(spool);
		expectHonest(life, records);
		judge(life, records, spool);
		expectBalance(spool);
		for (const { number } of records) life.acknowledged.add(number);
		life.stored.clear();
	}
}

test(
	"Spool gives back every record that was stored after a loss of power with fsync always",
	() => {
		let read = 0;
		for (let seed = 1; seed <= rounds; seed++) {
			losePowerOften(seed, "always", (life, records, spool) => {
				read += records.length;
				expect(missing(life, records)).toEqual([]);
				expect(spool.account.dropped.spool_damaged).toEqual({ records: 0, events: 0 });
			});
		}
		expect(read).toBeGreaterThan(rounds);
	},
	deadline,
);

test(
	"Spool gives back after a loss of power with an interval every record stored before the last sync",
	() => {
		let read = 0;
		let lost = 0;
		for (let seed = 1; seed <= rounds; seed++) {
			const life = newLife(seed);
			const spool = openTestSpool(life.disk, { maxBytes: 4 * MiB, fsync: 1e9 });
			work(life, spool, 80);
			expect(spool.sync()).toBe(true);
			const safe = [...life.stored.keys()];
			work(life, spool, 30);
			life.disk.losePower(life.random);
			using reopened = openTestSpool(life.disk, { maxBytes: 4 * MiB, fsync: 1e9 });
			const records = drain(reopened);
			expectHonest(life, records);
			const gone = missing(life, records);
			expect(gone.filter((number) => safe.includes(number))).toEqual([]);
			expect(spool.account.dropped.spool_full.records).toBe(0);
			read += records.length;
			lost += gone.length;
		}
		expect(read).toBeGreaterThan(rounds);
		expect(lost).toBeGreaterThan(10);
	},
	deadline,
);

for (const fsync of ["never", 1000] as const) {
	test(
		`Spool counts what a loss of power took from between its records with fsync ${fsync}`,
		() => {
			let lost = 0;
			for (let seed = 1; seed <= rounds; seed++) {
				const life = newLife(seed);
				const spool = openTestSpool(life.disk, { ...limits, fsync });
				work(life, spool, 30, false);
				life.disk.losePower(life.random);
				using reopened = openTestSpool(life.disk, { ...limits, fsync });
				const next = recordOf(++life.number, 10, 3);
				life.tried.set(next.number, next);
				life.stored.set(next.number, next);
				expect(reopened.append(next).status).toBe("stored");
				const records = drain(reopened);
				expectHonest(life, records);
				expect(records.at(-1)?.number).toBe(next.number);
				const last = records.at(-2)?.number ?? 0;
				const between = missing(life, records).filter((number) => number < last);
				const events = between.reduce((sum, number) => sum + (life.stored.get(number)?.count ?? 0), 0);
				const { spool_damaged: damaged } = reopened.account.dropped;
				lost += damaged.records;
				// A segment that vanished behind the last record may still have left its header, which tells of more.
				expect(damaged.records).toBeGreaterThanOrEqual(between.length);
				if (damaged.records === between.length) expect(damaged.events).toBe(events);
				expect(damaged.records).toBeLessThanOrEqual(missing(life, records).length);
				expectBalance(reopened);
			}
			expect(lost).toBeGreaterThan(10);
		},
		deadline,
	);
}

/** A process that stores records for ever and says after each one that it is stored. */
const endlessWriter = `
	const { openTestSpool, recordOf } = await import(process.argv[1]);
	const { systemSpoolFiles } = await import(process.argv[2]);
	const spool = openTestSpool(systemSpoolFiles, { fsync: "never", maxBytes: 2 ** 30 }, process.argv[3]);
	for (let number = spool.end.number + 1; ; number++) {
		if (spool.append(recordOf(number, 1 + (number * 7919) % 2000)).status !== "stored") throw new Error("It was refused");
		require("node:fs").writeSync(1, number + "\\n");
	}
`;

test(
	"Spool gives back what a process had stored that was really killed",
	async () => {
		using folder = temporaryDirectory("spool-kill");
		const root = join(import.meta.dir, "../..");
		let told = 0;
		for (let life = 1; life <= 4; life++) {
			const words = ["-e", endlessWriter, join(root, "test/support/spool-records.ts"), join(root, "src/platform/spool-files.ts"), folder.path];
			const child = Bun.spawn([process.execPath, ...words], { stdio: ["ignore", "pipe", "inherit"] });
			let text = "";
			const decoder = new TextDecoder();
			for await (const chunk of child.stdout) {
				text += decoder.decode(chunk, { stream: true });
				// The rest is what it did until the signal came.
				if (text.length > 100 * life && !child.killed) child.kill("SIGKILL");
			}
			await child.exited;
			expect(child.signalCode).toBe("SIGKILL");
			told = Number(text.slice(0, text.lastIndexOf("\n")).split("\n").at(-1));
		}
		using spool = openTestSpool(systemSpoolFiles, { maxBytes: 2 ** 30 }, folder.path);
		const records = drain(spool);
		expect(records.length).toBeGreaterThanOrEqual(told);
		for (const [index, record] of records.entries()) expect(record).toEqual(recordOf(index + 1, 1 + (((index + 1) * 7919) % 2000)));
		expect(spool.account.dropped.spool_damaged.records).toBe(0);
	},
	deadline,
);
