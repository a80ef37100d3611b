import { expect, test } from "bun:test";
import { cpSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expectSame } from "../../../test/support/cloud-events.ts";
import { ordinaryEntries, ordinaryEntry, readWithJournalctl, writeJournal } from "../../../test/support/journal-files.ts";
import { JournalReader } from "../../../test/support/journal-reader.ts";
import { Journald } from "../../../test/support/journald.ts";
import { upTo } from "../../../test/support/numbers.ts";
import { testNeeding } from "../../../test/support/requires.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { OperatingError } from "../../base/errors.ts";
import { counterOwn } from "../../ring/writer.ts";
import { systemdCollector } from "./definition.ts";

/** What a counter of the definition counted. */
function counted(reader: JournalReader, name: string): number {
	return reader.counter(counterOwn + systemdCollector.counters.findIndex((counter) => counter.name === name));
}

/** Files of a journal that a real journald wrote, each with `each` entries, their numbers going on from file to file, as a folder of the test's own. */
async function writeFiles(target: string, files: number, each: number): Promise<readonly string[]> {
	await using journald = await Journald.start();
	for (let file = 0; file < files; file++) {
		await journald.send(each, file * each);
		await journald.rotate();
	}
	const [machine = ""] = readdirSync(journald.path);
	cpSync(join(journald.path, machine), target, { recursive: true });
	return readdirSync(target)
		.filter((name) => name.startsWith("system@"))
		.sort();
}

testNeeding(["journal"], "JournalCollector.start() begins at the head, the tail or a time", async () => {
	using directory = temporaryDirectory();
	await writeJournal(directory.path, ordinaryEntries(3000));
	const read = (start: string) => {
		using reader = new JournalReader(directory.path, { config: { start } }).start().readAll();
		return reader.numbers;
	};
	expectSame(read("head"), upTo(3000));
	expectSame(read("tail"), []);
	// An entry every 250 microseconds: half a second is 2000 entries.
	expectSame(read("2025-09-26T09:46:40.5Z"), upTo(3000).slice(2000));
	expectSame(read("2025-09-26T11:46:40.5+02:00"), upTo(3000).slice(2000));
	expectSame(read("2030-01-01T00:00:00Z"), []);
	// All of it is of another boot.
	expectSame(read("cursor"), []);
});

testNeeding(
	["journald", "clang"],
	"JournalCollector.start() without a position begins with the current boot, and follows from the tail what is written later",
	async () => {
		using directory = temporaryDirectory();
		await using journald = await Journald.start();
		await writeJournal(directory.path, ordinaryEntries(20, 1000));
		renameSync(directory.join("system.journal"), join(journald.path, readdirSync(journald.path)[0] ?? "", "older.journal"));
		await journald.send(20, 0);
		using boot = new JournalReader(journald.path, { config: { start: "cursor" } }).start();
		await boot.until("the boot is read", () => boot.numbers.length >= 20);
		using tail = new JournalReader(journald.path, { config: { start: "tail" } }).start().readAll();
		expect(tail.numbers).toEqual([]);
		using filtered = new JournalReader(journald.path, { config: { start: "tail", units: ["none-such.service"] } }).start().readAll();
		await journald.send(20, 20);
		await boot.until("new entries are read", () => boot.numbers.length >= 40);
		await tail.until("new entries are read", () => tail.numbers.length >= 20);
		expectSame(boot.numbers, upTo(40));
		expectSame(tail.numbers, upTo(40).slice(20));
		expect(filtered.readAll().events).toEqual([]);
	},
);

testNeeding(["journal"], "JournalCollector.start() goes on behind the saved position, whatever start says", async () => {
	using directory = temporaryDirectory();
	await writeJournal(directory.path, ordinaryEntries(1000));
	using first = new JournalReader(directory.path).start();
	first.poll();
	const done = first.numbers.length;
	expect(done).toBeGreaterThan(0);
	expect(done).toBeLessThan(1000);
	using second = new JournalReader(directory.path, { position: first.cursor, config: { start: "tail" } }).start().readAll();
	expectSame([...first.numbers, ...second.numbers], upTo(1000));
	expect(second.gaps).toEqual([]);
});

testNeeding(["journald", "clang"], "JournalCollector counts exactly the entries whose files are gone behind the saved position", async () => {
	using directory = temporaryDirectory();
	const files = await writeFiles(directory.join("journal"), 8, 50);
	expect(files.length).toBe(8);
	const path = directory.join("journal");
	using first = new JournalReader(path).start().readAll();
	const all = first.events.map(({ id }) => id);
	const position = String(Reflect.get(first.events[59]?.data.raw ?? {}, "__CURSOR"));
	for (const file of files.slice(2, 5)) rmSync(join(path, file));
	using second = new JournalReader(path, { position }).start().readAll();
	const kept = second.events.filter(({ type }) => type === "tapio.systemd.entry").map(({ id }) => id);
	const [gap] = second.gaps;
	expect(second.gaps.length).toBe(1);
	const lost = Number(gap?.["tapio.gap.lost"]);
	expect(lost).toBe(all.length - 60 - kept.length);
	expect(lost).toBeGreaterThan(50);
	expect(gap).toEqual({ "tapio.gap.before": expect.stringMatching(/^s=/), "tapio.gap.lost": lost, "tapio.gap.reason": "vacuumed" });
	expect(counted(second, "vacuumed")).toBe(lost);
	expect(counted(second, "gap")).toBe(1);
	expectSame(
		kept,
		all.slice(60).filter((id) => kept.includes(id)),
	);
	// The gap stands where the entries are missing, and is named after the entry behind it.
	const at = second.events.findIndex(({ type }) => type === "tapio.systemd.gap");
	expect(second.events[at]?.id).toBe(`${second.events[at + 1]?.id}-gap`);
	expect(all.indexOf(second.events[at + 1]?.id ?? "") - all.indexOf(second.events[at - 1]?.id ?? "")).toBe(lost + 1);
	expect(second.collector.health()).toEqual({ status: "degraded", message: expect.stringContaining(`${lost} entries`) });
	// Whoever goes on behind any event of these, the gap among them, reads exactly the rest.
	for (const reached of [at - 1, at, at + 1]) {
		using third = new JournalReader(path, { position: second.cursors[reached] ?? "" }).start().readAll();
		expectSame(
			third.events.map(({ id }) => id),
			second.events.slice(reached + 1).map(({ id }) => id),
		);
	}
	// Where meanwhile more is gone, the entry behind the gap among it, it is counted from the gap on.
	rmSync(join(path, files[5] ?? ""));
	using fourth = new JournalReader(path, { position: second.cursors[at] ?? "" }).start().readAll();
	expect(fourth.gaps.map((gap) => gap?.["tapio.gap.lost"])).toEqual([second.events.length - at - fourth.events.length]);
});

testNeeding(["journald", "clang"], "JournalCollector says what the loss of the saved position itself costs, where that can be known", async () => {
	using directory = temporaryDirectory();
	const path = directory.join("journal");
	const files = await writeFiles(path, 4, 50);
	using first = new JournalReader(path).start().readAll();
	const cursors = first.events.map(({ data }) => String(Reflect.get(data.raw ?? {}, "__CURSOR")));
	for (const file of files.slice(0, 2)) rmSync(join(path, file));
	using rest = new JournalReader(path).start().readAll();
	const gone = first.events.length - rest.events.length;
	expect(rest.gaps).toEqual([]);

	using counting = new JournalReader(path, { position: cursors[9] ?? "" }).start().readAll();
	expect(counting.gaps.map((gap) => gap?.["tapio.gap.lost"])).toEqual([gone - 10]);
	expect(counting.numbers).toEqual(rest.numbers);

	// The entry of the position is gone, and nothing else: no loss, no gap.
	using exact = new JournalReader(path, { position: cursors[gone - 1] ?? "" }).start().readAll();
	expect(exact.gaps).toEqual([]);
	expect(exact.numbers).toEqual(rest.numbers);

	using foreign = new JournalReader(path, { position: (cursors[9] ?? "").replace(/^s=.{32}/, `s=${"0".repeat(32)}`) }).start().readAll();
	expect(foreign.gaps).toEqual([{ "tapio.gap.before": cursors[gone] ?? "", "tapio.gap.lost.known": false, "tapio.gap.reason": "position_lost" }]);
	expect(foreign.numbers).toEqual(rest.numbers);
	expect(counted(foreign, "vacuumed")).toBe(0);

	// The last one was vacuumed away itself, and nothing came since: no loss.
	const last = (cursors.at(-1) ?? "").replace(/i=[0-9a-f]+/, "i=ffff").replace(/;t=[0-9a-f]+/, ";t=7ffffffffffff");
	using atEnd = new JournalReader(path, { position: last }).start().readAll();
	expect([atEnd.events.length, atEnd.collector.health().status]).toEqual([0, "healthy"]);

	// That of another machine, and later than everything here.
	const others = last.replace(/^s=.{32}/, `s=${"0".repeat(32)}`).replace(/;b=.{32}/, `;b=${"0".repeat(32)}`);
	using elsewhere = new JournalReader(path, { position: others }).start().readAll();
	expect(elsewhere.events.length).toBe(0);
	expect(elsewhere.collector.health()).toMatchObject({ status: "degraded", message: expect.stringContaining("that of another journal") });

	// Whether any of those that are gone would have matched is unknown.
	using filtered = new JournalReader(path, { position: cursors[9] ?? "", config: { units: ["x.service"] } }).start().readAll();
	expect(filtered.events).toEqual([]);
});

testNeeding(["journal"], "JournalCollector under a filter states a lost position without a number", async () => {
	using directory = temporaryDirectory();
	await writeJournal(directory.path, ordinaryEntries(600));
	const config = { units: ["nginx.service"] };
	using before = new JournalReader(directory.path, {
		config,
		position: `${(await readWithJournalctl(directory.path, "--unit", "nginx.service"))[3]?.["__CURSOR"]}@`,
	});
	before.start().readAll();
	using first = new JournalReader(directory.path, { config }).start().readAll();
	const position = first.cursor
		.replace(/i=[0-9a-f]+/, "i=0")
		.replace(/^s=.{32}/, `s=${"1".repeat(32)}`)
		.replace(/t=[0-9a-f]+/, "t=1")
		.replace(/b=.{32}/, `b=${"2".repeat(32)}`);
	using second = new JournalReader(directory.path, { config, position }).start().readAll();
	expect(second.gaps).toEqual([
		{ "tapio.gap.before": expect.stringMatching(/^s=/), "tapio.gap.lost.known": false, "tapio.gap.reason": "position_lost" },
	]);
	expect(second.events[0]?.type).toBe("tapio.systemd.gap");
	expectSame(second.numbers, first.numbers);
	expectSame(before.numbers, first.numbers.slice(3));
	expect(before.gaps).toEqual([]);
});

testNeeding(["journal"], "JournalCollector keeps the numbers of several machines apart", async () => {
	using directory = temporaryDirectory();
	for (const machine of ["one", "two", "three"]) {
		await writeJournal(directory.join(machine), ordinaryEntries(500, machine.length * 10_000));
		mkdirSync(directory.join("all"), { recursive: true });
		renameSync(directory.join(machine, "system.journal"), directory.join("all", `remote-${machine}.journal`));
	}
	using reader = new JournalReader(directory.join("all")).start().readAll();
	expect(reader.gaps).toEqual([]);
	expectSame(
		reader.numbers,
		(await readWithJournalctl(directory.join("all"))).map((entry) => Number(entry["TAPIO_SEQ"])),
	);
	// They come interleaved, not one after the other.
	expect(new Set(reader.numbers.slice(0, 100).map((number) => Math.floor(number / 10_000))).size).toBeGreaterThan(1);
});

testNeeding(["journald", "clang"], "JournalCollector emits an entry once that stands in two files", async () => {
	using directory = temporaryDirectory();
	await using journald = await Journald.start();
	const path = join(journald.path, readdirSync(journald.path)[0] ?? "");
	mkdirSync(directory.join("journal"));
	using live = new JournalReader(path).start();
	await journald.send(100, 0);
	await live.until("the first half is read", () => live.numbers.length === 100);
	cpSync(join(path, "system.journal"), directory.join("journal", "system@half.journal"));
	await journald.send(100, 100);
	await live.until("the second half is read", () => live.numbers.length === 200);
	cpSync(join(path, "system.journal"), directory.join("journal", "system.journal"));
	using reader = new JournalReader(directory.join("journal")).start().readAll();
	expectSame(reader.numbers, upTo(200));
	expect(reader.gaps).toEqual([]);
});

testNeeding(["journal"], "JournalCollector leaves out the agent's own unit, counts it, and goes on behind it", async () => {
	using directory = temporaryDirectory();
	await writeJournal(directory.path, ordinaryEntries(400));
	const own = "nginx.service";
	const entries = await readWithJournalctl(directory.path);
	const others = entries.filter((entry) => entry["_SYSTEMD_UNIT"] !== own).map((entry) => Number(entry["TAPIO_SEQ"]));
	using reader = new JournalReader(directory.path, { ownUnit: own }).start().readAll();
	expect(others.length).toBeLessThan(400);
	expectSame(reader.numbers, others);
	expect(counted(reader, "own_unit")).toBe(400 - others.length);
	expect(reader.gaps).toEqual([]);
	using all = new JournalReader(directory.path, { ownUnit: own, config: { exclude_own: false } }).start().readAll();
	expectSame(all.numbers, upTo(400));
});

testNeeding(
	["journal"],
	"JournalCollector offers the tail as a position where the filter lets nothing through, and the last entry where all are its own",
	async () => {
		using directory = temporaryDirectory();
		await writeJournal(directory.path, ordinaryEntries(200));
		const last = String((await readWithJournalctl(directory.path)).at(-1)?.["__CURSOR"]);
		// A minute is sixty polls at this interval.
		using filtered = new JournalReader(directory.path, { config: { units: ["none-such.service"], poll_interval: "1s" } }).start();
		for (let polls = 0; polls < 70; polls++) filtered.poll();
		expect(filtered.events).toEqual([]);
		expect(filtered.cursor).toBe(last);

		rmSync(directory.join("system.journal"));
		const entries = [...upTo(50)].map(
			(number) => [...ordinaryEntry(number).filter(([name]) => name !== "_SYSTEMD_UNIT"), ["_SYSTEMD_UNIT", "own.service"]] as const,
		);
		await writeJournal(directory.path, entries);
		using own = new JournalReader(directory.path, { ownUnit: "own.service", config: { poll_interval: "1s" } }).start();
		for (let polls = 0; polls < 70; polls++) own.poll();
		expect(own.events).toEqual([]);
		expect(own.cursor).toBe(String((await readWithJournalctl(directory.path)).at(-1)?.["__CURSOR"]));
	},
);

testNeeding(["journal"], "JournalCollector waits while the ring is full, and loses nothing by it", async () => {
	using directory = temporaryDirectory();
	await writeJournal(directory.path, [...ordinaryEntries(500), ordinaryEntry(500, "y".repeat(40_000)), ...ordinaryEntries(99, 501)]);
	using reader = new JournalReader(directory.path, { ringBytes: 1 << 16 }).start();
	for (let rounds = 0; rounds < 2000 && reader.numbers.length < 600; rounds++) {
		for (let polls = 0; polls < 3; polls++) reader.pollOnly();
		reader.drain();
	}
	expectSame(reader.numbers, upTo(600));
	// What is larger than the ring can ever hold was cut, and says so.
	const cut = reader.events[500]?.data;
	expect(Reflect.get(cut ?? {}, "altered")).toEqual([{ field: "MESSAGE", reason: "cut", bytes: 40_000 }]);
});

testNeeding(["journal"], "JournalCollector reads an empty directory as soon as there are journals in it", async () => {
	using directory = temporaryDirectory();
	mkdirSync(directory.join("journal"));
	using reader = new JournalReader(directory.join("journal"), { config: { start: "tail" } }).start().readAll();
	expect(reader.collector.health()).toEqual({
		status: "unhealthy",
		message: `the journal directory ${directory.join("journal")} holds no *.journal files yet`,
	});
	await writeJournal(directory.join("other"), ordinaryEntries(100));
	renameSync(directory.join("other/system.journal"), directory.join("journal/system.journal"));
	await reader.until("the journal is read", () => reader.numbers.length === 100);
	expect(reader.collector.health().status).toBe("healthy");
	expect(reader.gaps).toEqual([]);
});

testNeeding(["journal"], "JournalCollector opens a directory anew that was replaced by another", async () => {
	using directory = temporaryDirectory();
	await writeJournal(directory.join("journal"), ordinaryEntries(100));
	await writeJournal(directory.join("next"), ordinaryEntries(300, 100));
	using reader = new JournalReader(directory.join("journal"), { config: { poll_interval: "20ms" } }).start().readAll();
	renameSync(directory.join("journal"), directory.join("old"));
	renameSync(directory.join("next"), directory.join("journal"));
	await reader.until("the other directory is read", () => reader.numbers.at(-1) === 399);
	expect(reader.log.map(({ message }) => message)).toContain("The directories of the journal changed; it is opened again.");
	// What is as old as what was read already is not looked for; that something may be missing is said.
	expect(reader.numbers.length).toBeGreaterThanOrEqual(300);
	expect(new Set(reader.numbers).size).toBe(reader.numbers.length);
	expect(reader.gaps.map((gap) => gap?.["tapio.gap.reason"])).toEqual(["position_lost"]);
});

test("JournalCollector.start() names what is not there, or is no directory", () => {
	using directory = temporaryDirectory();
	writeFileSync(directory.join("file"), "");
	const failure = (path: string): OperatingError => {
		using reader = new JournalReader(path);
		try {
			reader.start();
		} catch (error) {
			if (error instanceof OperatingError) return error;
		}
		throw new Error(`${path} was opened`);
	};
	for (const [name, errno] of [
		["none", 2],
		["file", 20],
	] as const) {
		const error = failure(directory.join(name));
		expect(error.code).toBe("journal_open");
		expect(error.message).toStartWith(`Open the journal ${directory.join(name)}`);
		expect(error.facts["errno"]).toBe(errno);
		expect(error.hint).toContain("name a directory that holds *.journal files");
	}
});
