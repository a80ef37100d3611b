import { assert } from "../../base/assert.ts";
import { JsonWriter, literal } from "../../event/json-writer.ts";
import { cursorBytesMax, isSkippable, type Journal } from "../../platform/ffi/libsystemd.ts";
import { Memory } from "../../platform/ffi/memory.ts";
import { FragmentCache } from "./fragment-cache.ts";
import { writeValue } from "./journal-value.ts";
import { KeyTable, keysMax, special } from "./key-table.ts";
import {
	noPriority,
	textOffset,
	wordAlteredLength,
	wordCursorLength,
	wordCursorOffset,
	wordHostLength,
	wordHostOffset,
	wordPriority,
	wordRawLength,
	wordRealtimeHigh,
	wordRealtimeLow,
	wordUnitLength,
	wordUnitOffset,
} from "./record.ts";
import { encodeSlowly } from "./slow-entry.ts";

const cursorOpen = literal('{"__CURSOR":"');
const realtimeOpen = literal('","__REALTIME_TIMESTAMP":"');
const monotonicOpen = literal('","__MONOTONIC_TIMESTAMP":"');
/** Where the cursor stands in every record: right behind `{"__CURSOR":"`. */
export const cursorAt = textOffset + 13;

/** What became of an entry: a record in `memory`, or an entry that cannot be read. */
export type EncodeResult = "encoded" | "unreadable";

/**
 * Formats journal entries as records of record.ts in a memory of its own: `memory` bytes 0 to `length`. The raw entry is the object that
 * `journalctl -o json` prints. Fields are enumerated once; repeated ones come from a cache. One thread; valid until the next `encode`.
 */
export class EntryEncoder {
	/** The record, from byte 0. */
	readonly memory: Memory;
	/** Its length in bytes. */
	length = 0;
	/** Length of the cursor, which stands at {@link cursorAt}. */
	cursorLength = 0;
	readonly #recordBytesMax: number;
	readonly #out: JsonWriter;
	readonly #staging: Memory;
	readonly #cursor: Uint8Array;
	readonly #cache = new FragmentCache();
	readonly #keys = new KeyTable();
	readonly #seen = new Float64Array(keysMax);
	#entry = 0;
	#unreadable = false;
	readonly #bootWords = new Uint32Array(4);
	#bootText = bootLiteral(this.#bootWords);

	/** Records never exceed `recordBytesMax`: larger entries are cut, field by field, and say so. */
	constructor(recordBytesMax: number) {
		assert(recordBytesMax >= 16 * 1024, "An entry of ordinary size fits");
		this.#recordBytesMax = recordBytesMax;
		this.memory = Memory.allocate(recordBytesMax);
		this.#staging = Memory.allocate(recordBytesMax);
		this.#out = new JsonWriter(this.memory);
		this.#cursor = this.memory.bytes.subarray(cursorAt, cursorAt + cursorBytesMax);
		this.#out.attach(this.memory, textOffset, recordBytesMax);
		this.#out.literal(cursorOpen);
		assert(this.#out.position === cursorAt, "The cursor stands behind its name in every record");
	}

	/** Reads the cursor of the current entry to its place in the record; its length, or a negative errno. Call it before `encode`. */
	readCursor(journal: Journal): number {
		this.cursorLength = journal.cursor(this.memory, cursorAt);
		return this.cursorLength;
	}

	/** The cursor read last, from byte 0; more bytes than it has. */
	get cursorBytes(): Uint8Array {
		return this.#cursor;
	}

	/** The cursor as text. */
	cursorText(): string {
		return String.fromCharCode(...this.#cursor.subarray(0, this.cursorLength));
	}

	/** Realtime stamp of the entry encoded last, in microseconds since the epoch. */
	realtime(): number {
		const { words } = this.memory;
		return (words[wordRealtimeLow] ?? 0) + (words[wordRealtimeHigh] ?? 0) * 2 ** 32;
	}

	/** Formats the journal's current entry, whose cursor was read. Never throws for what an entry holds. */
	encode(journal: Journal): EncodeResult {
		if (this.#keys.full) {
			this.#keys.clear();
			this.#cache.clear();
		}
		this.#entry++;
		if (!this.#head(journal)) return "unreadable";
		if (this.#fields(journal)) {
			this.#out.byte(0x7d);
			this.#finish(0);
			return "encoded";
		}
		if (this.#unreadable) return "unreadable";
		const altered = encodeSlowly(journal, this.#out, this.#recordBytesMax, () => this.#head(journal), this);
		if (altered === undefined) return "unreadable";
		this.#finish(altered);
		return "encoded";
	}

	/** Notes that the value of a special field stands at `start` to `end` of the memory, quotes included. Also called by the slow way. */
	noteSpecial(kind: number, start: number, end: number): void {
		const { words, bytes } = this.memory;
		if (kind === special.unit) {
			words[wordUnitOffset] = start + 1;
			words[wordUnitLength] = end - start - 2;
		} else if (kind === special.hostname) {
			words[wordHostOffset] = start + 1;
			words[wordHostLength] = end - start - 2;
		} else if (kind === special.priority) {
			const digit = (bytes[start + 1] ?? 0) - 48;
			words[wordPriority] = end - start === 3 && digit >= 0 && digit <= 7 ? digit : noPriority;
		}
	}

	#finish(alteredLength: number): void {
		this.length = this.#out.position;
		this.memory.words[wordRawLength] = this.length - textOffset - alteredLength;
		this.memory.words[wordAlteredLength] = alteredLength;
	}

	#head(journal: Journal): boolean {
		const { words } = this.memory;
		const out = this.#out;
		if (journal.readRealtime() < 0 || journal.readMonotonic() < 0) return false;
		out.attach(this.memory, cursorAt + this.cursorLength, this.#recordBytesMax);
		words[wordRealtimeLow] = journal.realtimeLow;
		words[wordRealtimeHigh] = journal.realtimeHigh;
		words[wordPriority] = noPriority;
		words[wordCursorOffset] = cursorAt;
		words[wordCursorLength] = this.cursorLength;
		words[wordUnitLength] = 0;
		words[wordHostLength] = 0;
		out.literal(realtimeOpen);
		out.decimal64(journal.realtimeLow, journal.realtimeHigh);
		out.literal(monotonicOpen);
		out.decimal64(journal.monotonicLow, journal.monotonicHigh);
		this.#noteBoot(journal);
		out.literal(this.#bootText);
		return true;
	}

	/** Makes the text of the boot id anew where it changed: all entries of a boot share it. */
	#noteBoot(journal: Journal): void {
		const known = this.#bootWords;
		let same = true;
		for (let index = 0; index < 4; index++) {
			const word = journal.bootWord(index);
			if (known[index] !== word) same = false;
			known[index] = word;
		}
		if (!same) this.#bootText = bootLiteral(known);
	}

	/** All fields by cache and staging; false where the entry needs the slow way. */
	#fields(journal: Journal): boolean {
		// Everything that the loop needs stands in variables: what is reached through `this` is loaded anew behind every call into C.
		const cache = this.#cache;
		const { fragments } = cache;
		const keys = this.#keys;
		const seen = this.#seen;
		const entry = this.#entry;
		const out = this.#out;
		let runStart = 0;
		let runEnd = 0;
		this.#unreadable = false;
		journal.restartFields();
		for (;;) {
			const result = journal.nextField();
			if (result <= 0) {
				this.#unreadable = isSkippable(result);
				if (result < 0) return false;
				break;
			}
			const slot = cache.find(journal);
			if (slot === -1) {
				if (runEnd > runStart) out.raw(fragments, runStart, runEnd - runStart);
				runStart = 0;
				runEnd = 0;
				if (!this.#miss(journal)) return false;
				continue;
			}
			const name = cache.nameAt(slot);
			const key = name < 0 ? -1 - name : name;
			if (seen[key] === entry) return false;
			seen[key] = entry;
			const kind = keys.specialOf(key);
			if (kind === special.boot) continue;
			const start = cache.fragmentAt(slot);
			const length = cache.fragmentLengthAt(slot);
			if (start !== runEnd) {
				// Texts that stand side by side are copied in one piece.
				if (runEnd > runStart) out.raw(fragments, runStart, runEnd - runStart);
				runStart = start;
			}
			runEnd = start + length;
			if (kind !== special.none && name >= 0) {
				const end = out.position + runEnd - runStart;
				this.noteSpecial(kind, end - length + keys.textLength(key), end);
			}
		}
		if (runEnd > runStart) out.raw(fragments, runStart, runEnd - runStart);
		// The brace that closes the entry must fit as well.
		return !out.overflow && out.position < out.limit;
	}

	/** A field that the cache does not hold; false where the entry needs the slow way. */
	#miss(journal: Journal): boolean {
		const length = journal.fieldLength;
		const staging = this.#staging;
		const out = this.#out;
		if (length > staging.length) return false;
		journal.copyField(staging, 0, length);
		const key = this.#keys.findField(staging, length);
		if (key === -1 || this.#seen[key] === this.#entry) return false;
		this.#seen[key] = this.#entry;
		const kind = this.#keys.specialOf(key);
		const worth = this.#cache.isWorthStoring(journal);
		if (kind === special.boot && !worth) return true;
		const start = out.position;
		const name = this.#keys.nameLength(key);
		out.raw(this.#keys.text, this.#keys.textOffset(key), this.#keys.textLength(key));
		const isString = writeValue(out, staging, name + 1, length - name - 1);
		if (out.overflow) return false;
		if (worth) this.#cache.store(journal, staging, 0, this.memory, start, out.position - start, isString ? key : -1 - key);
		if (kind === special.boot) out.position = start;
		else if (kind !== special.none && isString) this.noteSpecial(kind, start + this.#keys.textLength(key), out.position);
		return true;
	}
}

/** The end of the head: `","_BOOT_ID":"` and the 32 digits of a boot id, whose bytes stand in memory order. */
function bootLiteral(words: Uint32Array): Memory {
	const digits = Array.from(new Uint8Array(words.buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
	return literal(`","_BOOT_ID":"${digits}"`);
}
