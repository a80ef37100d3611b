/**
 * Writes the records that the decoder of the systemd collector is tested with: what its encoder makes of entries of a real journal file, and what it says
 * itself. Run it by hand, with bun, where the layout of record.ts changed, and read the difference.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { EntryEncoder } from "../../src/collectors/systemd/entry-encoder.ts";
import { encodeCheckpoint, encodeGap } from "../../src/collectors/systemd/gap-record.ts";
import { Journal } from "../../src/platform/ffi/libsystemd.ts";
import { type EntryFields, ordinaryEntry, writeJournal } from "./journal-files.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

const folder = join(import.meta.dir, "../../src/collectors/systemd/fixtures");
/** Small, so that an entry is cut. */
const recordBytesMax = 16 * 1024;

const entries: readonly (readonly [name: string, fields: EntryFields])[] = [
	["entry-kubelet", ordinaryEntry(6)],
	[
		"entry-binary",
		[
			["_HOSTNAME", "node-01"],
			["_SYSTEMD_UNIT", "user@1000.service"],
			["PRIORITY", "4"],
			["MESSAGE", new Uint8Array([0x66, 0x6f, 0x6f, 0x00, 0xff])],
			["TAG", "one"],
			["TAG", "two"],
		],
	],
	[
		"entry-cut",
		[
			["_HOSTNAME", 'host "quoted"'],
			["PRIORITY", "9"],
			["MESSAGE", "ä".repeat(9000)],
		],
	],
	["entry-bare", [["MESSAGE", "of nobody"]]],
];

using directory = temporaryDirectory();
await writeJournal(
	directory.path,
	entries.map(([, fields]) => fields),
);
using journal = new Journal(directory.path);
const encoder = new EntryEncoder(recordBytesMax);
journal.seekHead();
for (const [name] of entries) {
	if (journal.next() <= 0 || encoder.readCursor(journal) <= 0 || encoder.encode(journal) !== "encoded") throw new Error(`${name} was not read`);
	write(name, encoder.memory.bytes.subarray(0, encoder.length));
}
const cursor = encoder.cursorText();
write("gap-counted", encodeGap({ lost: 1234, reason: "vacuumed", cursor, realtime: encoder.realtime() }));
write("gap-unknown", encodeGap({ lost: undefined, reason: "position_lost", cursor, realtime: encoder.realtime() }));
write("checkpoint", encodeCheckpoint(cursor));

function write(name: string, bytes: Uint8Array): void {
	writeFileSync(join(folder, `${name}.record`), bytes);
}
