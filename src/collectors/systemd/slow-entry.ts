import type { EventWriter } from "../../event/event-writer.ts";
import { type JsonWriter, literal } from "../../event/json-writer.ts";
import { isSkippable, type Journal } from "../../platform/ffi/libsystemd.ts";
import { Memory } from "../../platform/ffi/memory.ts";
import { writeValue } from "./journal-value.ts";
import { special } from "./key-table.ts";

/** Most values of one entry that are kept. Beyond it values are left out, and the entry says so. */
const valuesMax = 4096;
/** Share of a record that one field may take, tried in this order until the entry fits. */
const fieldShares = [1, 2, 4, 16, 64, 256, 1024, 4096] as const;

const decoder = new TextDecoder();
const specials: Readonly<Record<string, number>> = { _SYSTEMD_UNIT: special.unit, _HOSTNAME: special.hostname, PRIORITY: special.priority };

/** One thing that was changed about an entry, as it stands in `data.altered`. */
interface Alteration {
	readonly field: string;
	readonly reason: "cut" | "left_out";
	/** Bytes of the value in the journal. */
	readonly bytes: number;
}

/** What the encoder does the same way for every entry. */
export interface EntryFrame {
	/** Writes the event anew up to the raw entry's own fields. */
	head(): void;
	/** Ends the event behind the raw entry and what was altered; false where it did not fit. */
	tail(): boolean;
	/** Takes the places of unit, host name and priority. */
	noteSpecial(kind: number, start: number, end: number): void;
}

/**
 * Formats an entry that the fast way cannot: repeated fields (which become arrays), odd names, very large values. Values are cut until the event fits
 * `recordBytesMax`. False where the entry cannot be read.
 */
export function encodeSlowly(journal: Journal, event: EventWriter, recordBytesMax: number, frame: EntryFrame): boolean {
	for (const share of fieldShares) {
		const valueBytesMax = Math.floor(recordBytesMax / share);
		const altered: Alteration[] = [];
		const fields = readFields(journal, valueBytesMax, altered);
		if (fields === undefined) return false;
		frame.head();
		writeFields(event, fields, frame);
		if (altered.length > 0) writeAltered(event, altered);
		if (frame.tail()) return true;
	}
	// Thousands of fields: the head alone, with the reason.
	frame.head();
	event.byte(0x7d);
	writeAltered(event, [{ field: "*", reason: "left_out", bytes: 0 }]);
	return frame.tail();
}

/** A value: bytes `start` to `end` of a memory that holds the whole field up to there. */
interface Value {
	readonly memory: Memory;
	readonly start: number;
	readonly end: number;
}

function readFields(journal: Journal, valueBytesMax: number, altered: Alteration[]): Map<string, Value[]> | undefined {
	const fields = new Map<string, Value[]>();
	let values = 0;
	journal.restartFields();
	for (;;) {
		const result = journal.nextField();
		if (result === 0) return fields;
		if (result < 0) {
			if (isSkippable(result)) return undefined;
			return fields;
		}
		const start = readName(journal);
		if (start === undefined) continue;
		const { name, offset } = start;
		if (name === "_BOOT_ID") continue;
		const bytes = journal.fieldLength - offset;
		if (++values > valuesMax) {
			altered.push({ field: name, reason: "left_out", bytes });
			continue;
		}
		const kept = Math.min(bytes, valueBytesMax);
		if (kept < bytes) altered.push({ field: name, reason: "cut", bytes });
		const list = fields.get(name);
		const value = copyValue(journal, offset, kept);
		if (list === undefined) fields.set(name, [value]);
		else list.push(value);
	}
}

/** Longest name looked for; the journal allows 64. */
const nameBytesMax = 256;
const nameMemory = Memory.allocate(nameBytesMax);

function readName(journal: Journal): { name: string; offset: number } | undefined {
	const length = Math.min(journal.fieldLength, nameBytesMax);
	journal.copyField(nameMemory, 0, length);
	const equals = nameMemory.bytes.subarray(0, length).indexOf(0x3d);
	if (equals <= 0) return undefined;
	return { name: decoder.decode(nameMemory.bytes.subarray(0, equals)), offset: equals + 1 };
}

/** The first `kept` bytes of a value that starts at `offset` of the current field, less a character that the cut would split. */
function copyValue(journal: Journal, offset: number, kept: number): Value {
	const memory = Memory.allocate(offset + kept + 1);
	journal.copyField(memory, 0, offset + kept);
	let end = offset + kept;
	if (end < journal.fieldLength) {
		for (let steps = 0; steps < 3 && end > offset && ((memory.bytes[end - 1] ?? 0) & 0xc0) === 0x80; steps++) end--;
		if (end > offset && (memory.bytes[end - 1] ?? 0) >= 0xc0) end--;
	}
	return { memory, start: offset, end };
}

function writeFields(out: JsonWriter, fields: Map<string, Value[]>, frame: EntryFrame): void {
	for (const [name, values] of fields) {
		if (out.overflow) return;
		out.byte(0x2c);
		out.string(name);
		out.byte(0x3a);
		if (values.length > 1) out.byte(0x5b);
		const start = out.position;
		let isString = false;
		for (const [index, value] of values.entries()) {
			if (index > 0) out.byte(0x2c);
			isString = writeValue(out, value.memory, value.start, value.end - value.start);
		}
		const kind = specials[name];
		if (kind !== undefined && values.length === 1 && isString && !out.overflow) frame.noteSpecial(kind, start, out.position);
		if (values.length > 1) out.byte(0x5d);
	}
	out.byte(0x7d);
}

const fieldOpen = literal('{"field":');
const reasonOpen = literal(',"reason":');
const bytesOpen = literal(',"bytes":');

function writeAltered(out: EventWriter, altered: readonly Alteration[]): void {
	out.alteredList();
	out.byte(0x5b);
	for (const [index, { field, reason, bytes }] of altered.entries()) {
		if (index > 0) out.byte(0x2c);
		out.literal(fieldOpen);
		out.string(field);
		out.literal(reasonOpen);
		out.string(reason);
		out.literal(bytesOpen);
		out.decimal(bytes);
		out.byte(0x7d);
	}
	out.byte(0x5d);
}
