import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import fc from "fast-check";
import { writeValue } from "../../src/collectors/systemd/journal-value.ts";
import { JsonWriter } from "../../src/event/json-writer.ts";
import { Memory } from "../../src/platform/ffi/memory.ts";
import { expectSame } from "../support/cloud-events.ts";
import { type EntryFields, readWithJournalctl, writeJournal } from "../support/journal-files.ts";
import { JournalReader } from "../support/journal-reader.ts";
import { testNeeding } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const encoder = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What a value becomes, written down as the rule says: text where every character is printable, else numbers. */
function obvious(bytes: Uint8Array): string | number[] {
	try {
		const text = strict.decode(bytes);
		const isPrintable = [...text].every((character) => {
			const point = character.codePointAt(0) ?? 0;
			if (point === 0x09 || point === 0x0a) return true;
			if (point < 0x20 || (point >= 0x7f && point <= 0x9f)) return false;
			return !(point >= 0xfdd0 && point <= 0xfdef) && (point & 0xfffe) !== 0xfffe;
		});
		if (isPrintable) return text;
	} catch {
		// Bad UTF-8 is an answer.
	}
	return [...bytes];
}

/** Pieces at which a scanner can go wrong: what needs an escape, what ends a run, what looks like the beginning of something. */
const piece = fc.oneof(
	{ weight: 6, arbitrary: fc.string({ minLength: 1, maxLength: 20 }).map((text) => encoder.encode(text)) },
	{ weight: 3, arbitrary: fc.string({ unit: "binary", minLength: 1, maxLength: 8 }).map((text) => encoder.encode(text.toWellFormed())) },
	{ weight: 3, arbitrary: fc.constantFrom('"', "\\", "\n", "\t", '\\"', "ä", "✓", "🐟", "\u00a0", "\ufeff").map((text) => encoder.encode(text)) },
	{
		weight: 1,
		arbitrary: fc
			.constantFrom("\u0000", "\u001b", "\u007f", "\u0080", "\u009f", "\ufdd0", "\ufdef", "\ufffe", "\u{1ffff}", "\u{10fffe}")
			.map((text) => encoder.encode(text)),
	},
	{
		weight: 1,
		arbitrary: fc
			.constantFrom([0xff], [0xc3], [0xc0, 0x80], [0xe0, 0x80, 0x80], [0xed, 0xa0, 0x80], [0xf0, 0x9f, 0x90], [0xf4, 0x90, 0x80, 0x80], [0x80])
			.map((bytes) => new Uint8Array(bytes)),
	},
);
const value = fc.array(piece, { maxLength: 12 }).map((pieces) => new Uint8Array(Buffer.concat(pieces)));

test("writeValue() agrees with the rule written down, at any place in memory and in any room", () => {
	const source = Memory.allocate(2048);
	const target = Memory.allocate(8192);
	let texts = 0;
	let arrays = 0;
	let refused = 0;
	fc.assert(
		fc.property(value, fc.nat({ max: 15 }), fc.nat({ max: 900 }), (bytes, offset, room) => {
			source.bytes.fill(0x22);
			source.bytes.set(bytes, offset);
			const expected = obvious(bytes);
			const out = new JsonWriter(target);
			out.attach(target, 0, 4096);
			const isString = writeValue(out, source, offset, bytes.length);
			expect(out.overflow).toBe(false);
			expect(isString).toBe(typeof expected === "string");
			expect(JSON.parse(strict.decode(target.bytes.subarray(0, out.position)))).toEqual(expected);
			if (isString) texts++;
			else arrays++;
			// In less room than it takes nothing is written behind the end, and the writer says so.
			const whole = out.position;
			target.bytes.fill(0xee);
			out.attach(target, 0, room);
			writeValue(out, source, offset, bytes.length);
			// What would just fit may be refused, for the sake of fewer checks: the batch that is full is sent, and nothing is lost by it.
			expect(out.overflow || whole <= room).toBe(true);
			expect(out.overflow && room >= 6 * bytes.length + 16).toBe(false);
			if (out.overflow) refused++;
			expect(target.bytes.subarray(room, room + 1200).every((byte) => byte === 0xee)).toBe(true);
		}),
		{ numRuns: 5000 },
	);
	expect(Math.min(texts, arrays, refused)).toBeGreaterThan(300);
});

const name = fc.oneof(
	fc.constantFrom("MESSAGE", "PRIORITY", "_SYSTEMD_UNIT", "_HOSTNAME", "_PID", "SYSLOG_IDENTIFIER", "CODE_FILE", "_CMDLINE"),
	fc.stringMatching(/^[A-Z][A-Z0-9_]{0,63}$/),
	fc.nat({ max: 9 }).map((number) => `FIELD_${number}`),
);
/** journald and systemd-journal-remote compress what is longer than 512 bytes, where it helps. */
const long = fc.tuple(value, fc.integer({ min: 20, max: 800 })).map(([bytes, times]) => {
	const grown = new Uint8Array(Math.min(bytes.length * times, 20_000));
	for (let at = 0; at < grown.length; at++) grown[at] = bytes[at % bytes.length] ?? 0;
	return grown;
});
const noise = fc.uint8Array({ minLength: 500, maxLength: 3000 });
const field = fc.tuple(name, fc.oneof({ weight: 8, arbitrary: value }, { weight: 1, arbitrary: long }, { weight: 1, arbitrary: noise }));
const entry: fc.Arbitrary<EntryFields> = fc.array(field, { minLength: 1, maxLength: 40 });

testNeeding(
	["journal"],
	"JournalCollector formats any entry as journalctl does",
	async () => {
		using directory = temporaryDirectory();
		let compared = 0;
		await fc.assert(
			fc.asyncProperty(fc.array(entry, { minLength: 5, maxLength: 60 }), async (entries) => {
				rmSync(directory.join("journal"), { recursive: true, force: true });
				await writeJournal(directory.join("journal"), entries);
				const expected = await readWithJournalctl(directory.join("journal"));
				expect(expected.length).toBe(entries.length);
				using reader = new JournalReader(directory.join("journal")).start().readAll();
				expectSame(
					reader.events.map(({ data }) => data.raw),
					expected,
				);
				compared += expected.length;
			}),
			{ numRuns: 40 },
		);
		expect(compared).toBeGreaterThan(300);
	},
	120_000,
);

testNeeding(
	["journal"],
	"JournalCollector keeps a thousand fields, names of every length, and a thousand values of one name",
	async () => {
		using directory = temporaryDirectory();
		const many = (count: number, toName: (index: number) => string): EntryFields =>
			Array.from({ length: count }, (_, index) => [toName(index), `value ${index}`] as const);
		await writeJournal(directory.path, [
			many(1000, (index) => `F${index}`),
			many(1000, (index) => `G${index}`),
			many(60, (index) => "N".repeat(index + 5)),
			many(1000, () => "SAME"),
			[["MESSAGE", "behind them"]],
		]);
		const expected = await readWithJournalctl(directory.path);
		expect(expected.length).toBe(5);
		using reader = new JournalReader(directory.path).start().readAll();
		expectSame(
			reader.events.map(({ data }) => data.raw),
			expected,
		);
	},
	60_000,
);
