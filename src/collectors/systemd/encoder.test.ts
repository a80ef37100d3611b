import { expect, test } from "bun:test";
import { join } from "node:path";
import { expectGolden } from "../../../test/support/golden.ts";
import { type EntryFields, ordinaryEntries, ordinaryEntry, writeJournal } from "../../../test/support/journal-files.ts";
import { testNeeding } from "../../../test/support/requires.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { Journal } from "../../platform/ffi/libsystemd.ts";
import { readyTextOffset } from "../ready-record.ts";
import { CursorPoint } from "./cursor-point.ts";
import { EntryEncoder } from "./encoder.ts";
import { GapEncoder } from "./gap-record.ts";

const folder = join(import.meta.dir, "fixtures");
const identity = { cluster: "cluster", node: "node-7" };
/** Small, so that an entry is cut. */
const recordBytesMax = 16 * 1024;

const entries: Readonly<Record<string, EntryFields>> = {
	"entry-kubelet": ordinaryEntry(6),
	"entry-binary": [
		["_HOSTNAME", "node-01"],
		["_SYSTEMD_UNIT", "user@1000.service"],
		["PRIORITY", "4"],
		["MESSAGE", new Uint8Array([0x66, 0x6f, 0x6f, 0x00, 0xff])],
		["TAG", "one"],
		["TAG", "two"],
	],
	"entry-cut": [
		["_HOSTNAME", 'host "quoted"'],
		["PRIORITY", "9"],
		["MESSAGE", "ä".repeat(9000)],
	],
	"entry-bare": [["MESSAGE", "of nobody"]],
};

/** The event of a record, less what the journal's writer draws by lot: the id of its file, and sums that are keyed by it. */
function eventOf(bytes: Uint8Array): string {
	const words = new Uint32Array(bytes.slice(0, readyTextOffset).buffer);
	const text = Buffer.from(bytes.subarray(readyTextOffset, readyTextOffset + (words[2] ?? 0))).toString();
	return text
		.replace(/s=[0-9a-f]{32}/g, `s=${"0".repeat(32)}`)
		.replace(/x=[0-9a-f]+/g, "x=0")
		.replace(/"id":"[0-9a-f]{32}-([0-9a-f]+)-[0-9a-f]+/, `"id":"${"0".repeat(32)}-$1-0`);
}

/** Every entry of a journal as `encoder` makes it an event; a new encoder for each where there is none. */
function encodeAll(path: string, encoder?: EntryEncoder): string[] {
	using journal = new Journal(path);
	encoder?.attach(journal);
	journal.seekHead();
	const events: string[] = [];
	while (journal.next() > 0) {
		const used = encoder ?? new EntryEncoder(identity, recordBytesMax);
		if (encoder === undefined) used.attach(journal);
		expect(used.readCursor()).toBeGreaterThan(0);
		expect(used.encode()).toBe("encoded");
		events.push(eventOf(used.memory.bytes.subarray(0, used.length)));
	}
	return events;
}

testNeeding(["journal"], "EntryEncoder.encode() turns entries of a real journal into their golden events", async () => {
	using directory = temporaryDirectory();
	await writeJournal(directory.path, Object.values(entries));
	const events = encodeAll(directory.path, new EntryEncoder(identity, recordBytesMax));
	expect(events).toHaveLength(4);
	for (const [index, name] of Object.keys(entries).entries()) {
		expectGolden(join(folder, `${name}.json`), `${JSON.stringify(JSON.parse(events[index] ?? ""), null, "\t")}\n`);
	}
});

testNeeding(["journal"], "EntryEncoder.encode() gives an event the severity of the entry's priority", async () => {
	using directory = temporaryDirectory();
	const priorities = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "12", "x"];
	await writeJournal(
		directory.path,
		priorities.map((priority) => [["PRIORITY", priority]] as const),
	);
	const events = encodeAll(directory.path, new EntryEncoder(identity, recordBytesMax)).map((text) => JSON.parse(text));
	const severities = events.map(({ severitytext, severitynumber }) => `${severitytext} ${severitynumber}`);
	const known = ["FATAL 21", "ERROR3 19", "ERROR2 18", "ERROR 17", "WARN 13", "INFO2 10", "INFO 9", "DEBUG 5"];
	expect(severities).toEqual([...known, "INFO 9", "INFO 9", "INFO 9"]);
	expect(events.map(({ data }) => data.metadata.priority)).toEqual([...priorities.slice(0, 8), undefined, undefined, undefined]);
});

testNeeding(["journal"], "An EntryEncoder says the same about an entry whatever it encoded before", async () => {
	using directory = temporaryDirectory();
	// Ordinary ones, which caches know by heart, among odd ones of every kind.
	const odd = Object.values(entries);
	const mixed = [...ordinaryEntries(600)].flatMap((entry, index) => (index % 50 === 7 ? [odd[(index / 50) & 3] ?? entry, entry] : [entry]));
	const many = mixed.map((entry, index): EntryFields => (index % 3 === 0 ? entry.filter(([name]) => name !== "_SYSTEMD_UNIT") : entry));
	await writeJournal(directory.path, many);
	const kept = encodeAll(directory.path, new EntryEncoder(identity, recordBytesMax));
	expect(kept).toHaveLength(many.length);
	const anew = encodeAll(directory.path);
	for (const [index, event] of kept.entries()) expect(event).toBe(anew[index] ?? "");
});

testNeeding(["journal"], "An EntryEncoder names the right unit when its caches start afresh in the middle of an entry", async () => {
	using directory = temporaryDirectory();
	// Values that come three times, and more of them than the cache holds: it is full again and again, at a field behind the unit's.
	const values = Array.from({ length: 300 }, (_, index) => `${index}`.padStart(1000, "v"));
	const many = Array.from({ length: 900 }, (_, index): EntryFields => {
		const unit = `unit-${index % 7}.service`;
		return [
			["_SYSTEMD_UNIT", unit],
			["_HOSTNAME", "node-01"],
			["PRIORITY", "6"],
			["BLOB", values[index % values.length] ?? ""],
			["UNIT_AGAIN", unit],
		];
	});
	await writeJournal(directory.path, many);
	const events = encodeAll(directory.path, new EntryEncoder(identity, recordBytesMax)).map((text) => JSON.parse(text));
	expect(events).toHaveLength(900);
	for (const { data, subject } of events) expect([data.metadata.unit, subject]).toEqual([data.raw.UNIT_AGAIN, data.raw.UNIT_AGAIN]);
});

test("GapEncoder.encode() names what is missing, and the position that a successor begins behind", () => {
	const cursor = "s=87ad9140f9f0436cb0f26de0d3bce795;i=1f;b=bdd640fb06671ad11c80317fa3b1799d;m=4c676e;t=63fb1299a5c2e;x=96ce08443c322224";
	const point = new CursorPoint();
	point.read(new TextEncoder().encodeInto(cursor, point.memory.bytes).written);
	const gaps = new GapEncoder(identity);
	const counted = gaps.encode({ lost: 1234, reason: "vacuumed" }, point);
	expect(Buffer.from(counted).toString().endsWith(`}${cursor}@`)).toBe(true);
	expectGolden(join(folder, "gap-counted.json"), `${JSON.stringify(JSON.parse(eventOf(counted)), null, "\t")}\n`);
	const unknown = gaps.encode({ lost: undefined, reason: "position_lost" }, point);
	expectGolden(join(folder, "gap-unknown.json"), `${JSON.stringify(JSON.parse(eventOf(unknown)), null, "\t")}\n`);
});
