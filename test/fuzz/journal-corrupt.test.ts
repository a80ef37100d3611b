import { expect } from "bun:test";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expectSame } from "../support/cloud-events.ts";
import { ordinaryEntries, ordinaryEntry, readWithJournalctl, writeJournal } from "../support/journal-files.ts";
import { fieldOf } from "../support/journal-reader.ts";
import type { JournalReading } from "../support/read-journal.ts";
import { testNeeding } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const program = join(import.meta.dir, "../support/read-journal.ts");
const journals = 60;
/** Bytes from the start of a file that hold its header and hash tables. */
const headBytes = 256;
/** Seconds for one journal: damage must not make the reader run in circles. */
const secondsMax = 20;

/** A generator that gives the same numbers for the same seed. */
function seeded(seed: number): (below: number) => number {
	let state = seed >>> 0;
	return (below) => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return Math.floor((state / 2 ** 32) * below);
	};
}

/** Damages bytes as a failing disk would: single bits, single bytes, runs of zeros, and whole sectors, where there is something to damage. */
function damage(bytes: Uint8Array, places: readonly number[], below: (limit: number) => number): void {
	const hits = 1 + below(2) * below(60);
	for (let hit = 0; hit < hits; hit++) {
		const at = below(8) === 0 ? below(headBytes) : (places[below(places.length)] ?? 0);
		const kind = below(4);
		if (kind === 0) bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8));
		else if (kind === 1) bytes[at] = below(256);
		else if (kind === 2) bytes.fill(0, at, at + 1 + below(64));
		else for (let index = at; index < at + 512; index++) bytes[index] = below(256);
	}
}

async function read(directories: readonly string[]): Promise<{ readonly readings: JournalReading[]; readonly died: string | undefined }> {
	const child = Bun.spawn([process.execPath, program, ...directories], { stdio: ["ignore", "pipe", "pipe"], timeout: secondsMax * 1000 });
	const [text, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
	await child.exited;
	const readings = text
		.split("\n")
		.filter((line) => line !== "")
		.map((line): JournalReading => JSON.parse(line));
	const died = child.exitCode === 0 ? undefined : `${child.signalCode ?? child.exitCode}: ${errors.slice(0, 300)}`;
	return { readings, died };
}

testNeeding(
	["journal"],
	"JournalCollector reads of damaged files what journalctl reads, neither less nor anything twice, and comes to an end",
	async () => {
		using directory = temporaryDirectory();
		await writeJournal(directory.join("whole"), [...ordinaryEntries(300), ordinaryEntry(300, "z".repeat(5000)), ...ordinaryEntries(99, 301)]);
		const untouched = await readWithJournalctl(directory.join("whole"));
		const whole = readFileSync(directory.join("whole", "system.journal"));
		const places = [...whole.entries()].flatMap(([at, byte]) => (byte === 0 ? [] : [at]));
		const names = Array.from({ length: journals }, (_, seed) => directory.join(`seed-${seed}`));
		for (const [seed, name] of names.entries()) {
			const copy = new Uint8Array(whole);
			damage(copy, places, seeded(seed + 1));
			mkdirSync(name);
			writeFileSync(join(name, "system.journal"), copy);
			// Its neighbour is whole: it must be read whatever the damaged one does.
			if (seed % 3 === 0) copyFileSync(directory.join("whole", "system.journal"), join(name, "system@whole.journal"));
		}
		const deaths: string[] = [];
		let damaged = 0;
		for (let left = names; left.length > 0; ) {
			const { readings, died } = await read(left);
			for (const reading of readings) {
				const expected = await readWithJournalctl(reading.directory);
				expect({ directory: reading.directory, error: reading.error }).toEqual({ directory: reading.directory, error: undefined });
				// journalctl ends at the first file that it cannot go on with; the collector reads on.
				const read = new Map(reading.raw.map((raw) => [fieldOf(raw, "__CURSOR"), raw]));
				expectSame(
					expected.map((entry) => read.get(entry["__CURSOR"])),
					expected,
				);
				expect(new Set(reading.cursors).size).toBe(reading.cursors.length);
				if (!Bun.deepEquals(reading.raw, untouched)) damaged++;
			}
			left = left.slice(readings.length);
			if (died !== undefined) {
				deaths.push(`${left[0]}: ${died}`);
				left = left.slice(1);
			}
		}
		// Whether a damaged file kills its reader is up to libsystemd; that is why the reader is a child. It must not be the rule.
		process.stderr.write(`${damaged} of ${journals} journals damaged to be seen, deaths: ${JSON.stringify(deaths)}\n`);
		expect(deaths).toEqual([]);
		expect(damaged).toBeGreaterThan(15);
	},
	120_000,
);
