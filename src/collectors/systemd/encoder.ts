import { assert } from "../../base/assert.ts";
import { EventWriter, eventSource, eventTemplate, type NodeIdentity, severityMember, subjectMember } from "../../event/event-writer.ts";
import { literal } from "../../event/json-writer.ts";
import type { Severity } from "../../event/severity.ts";
import { isSkippable, type Journal } from "../../platform/ffi/libsystemd.ts";
import { Memory } from "../../platform/ffi/memory.ts";
import { readyTextOffset, writeReadyHead } from "../ready-record.ts";
import { CursorPoint } from "./cursor-point.ts";
import { EntryHead } from "./entry-head.ts";
import { FragmentCache } from "./fragment-cache.ts";
import { writeValue } from "./journal-value.ts";
import { KeyTable, keysMax, special } from "./key-table.ts";
import { type EntryFrame, encodeSlowly } from "./slow-entry.ts";
import { TailCache, valueAbsent, valueUnknown } from "./tail-cache.ts";

/** Severity by syslog priority, emergency first (OpenTelemetry logs data model, appendix B, "Syslog"). */
const severityByPriority: readonly Severity[] = ["fatal", "alert", "critical", "error", "warn", "notice", "info", "debug"];
const severityMembers = severityByPriority.map(severityMember);
/** The severity of entries without a usable priority. */
const plainSeverity = severityMember("info");
const noPriority = -1;

const unitKey = literal('"unit":"');
const hostnameKey = literal('"hostname":"');
const priorityKey = literal('"priority":"');
const quote = 0x22;
const brace = 0x7d;

/** What became of an entry: a record in `memory`, or an entry that cannot be read. */
export type EncodeResult = "encoded" | "unreadable";

/**
 * Formats journal entries as ready-made records (ready-record.ts) in a memory of its own: `memory` bytes 0 to `length`. The raw entry is the object that
 * `journalctl -o json` prints. Fields are enumerated once; repeated ones come from a cache. One thread; valid until the next `encode`.
 */
export class EntryEncoder implements EntryFrame {
	/** The record, from byte 0. */
	readonly memory: Memory;
	/** Its length in bytes. */
	length = 0;
	/** The cursor that was read last. */
	readonly point = new CursorPoint();
	/** The unit's name in `memory`, as JSON text without quotes; length 0 where the entry has none. */
	unitOffset = 0;
	unitLength = 0;
	readonly #recordBytesMax: number;
	readonly #out: EventWriter;
	readonly #head: EntryHead;
	readonly #staging: Memory;
	readonly #cache = new FragmentCache();
	readonly #keys = new KeyTable();
	readonly #tails = new TailCache();
	#tailsGeneration = 0;
	readonly #seen = new Int32Array(keysMax);
	#entry = 0;
	#unreadable = false;
	/** Where unit and host name stand in the fragment cache. */
	#unitPlace: number = valueAbsent;
	#hostPlace: number = valueAbsent;
	#hostOffset = 0;
	#hostLength = 0;
	#priority = noPriority;

	/** Records never exceed `recordBytesMax`: larger entries are cut, field by field, and say so. */
	constructor(identity: NodeIdentity, recordBytesMax: number) {
		assert(recordBytesMax >= 16 * 1024, "An entry of ordinary size fits");
		this.#recordBytesMax = recordBytesMax;
		this.memory = Memory.allocate(recordBytesMax);
		this.#staging = Memory.allocate(recordBytesMax);
		this.#out = new EventWriter(this.memory);
		this.#head = new EntryHead(eventTemplate(eventSource(identity, "systemd"), "tapio.systemd.entry"));
	}

	/** Reads the cursor of the current entry into `point`. Its length, or a negative errno. Call it before `encode`. */
	readCursor(journal: Journal): number {
		const { point } = this;
		const length = journal.cursor(point.memory, 0);
		if (length > 0) point.read(length);
		return length;
	}

	/** Formats the journal's current entry, whose cursor was read. Never throws for what an entry holds. */
	encode(journal: Journal): EncodeResult {
		if (this.#keys.full) {
			this.#keys.clear();
			this.#cache.clear();
		}
		this.#entry = (this.#entry + 1) | 0;
		this.head();
		if (!this.#fields(journal) || !this.tail()) {
			if (this.#unreadable || !encodeSlowly(journal, this.#out, this.#recordBytesMax, this)) return "unreadable";
		}
		const { point } = this;
		const { position, sequenceAt } = this.#out;
		writeReadyHead(this.memory, {
			cursorOffset: this.#head.cursorOffset,
			cursorLength: point.length,
			eventEnd: position,
			sequenceOffset: sequenceAt,
		});
		this.length = position;
		return "encoded";
	}

	head(): void {
		const out = this.#out;
		out.attach(this.memory, readyTextOffset, this.#recordBytesMax);
		this.#head.write(out, this.point);
		this.#priority = noPriority;
		this.unitLength = 0;
		this.#hostLength = 0;
		this.#unitPlace = valueAbsent;
		this.#hostPlace = valueAbsent;
	}

	tail(): boolean {
		const out = this.#out;
		const tails = this.#tails;
		if (this.#tailsGeneration !== this.#cache.generation) {
			this.#tailsGeneration = this.#cache.generation;
			tails.clear();
		}
		if (tails.find(this.#unitPlace, this.#hostPlace, this.#priority)) return out.endWith(tails.memory, tails.offset, tails.length);
		const start = out.position;
		if (!this.#writeTail()) return false;
		tails.store(this.#unitPlace, this.#hostPlace, this.#priority, this.memory, start, out.position - start);
		return true;
	}

	#writeTail(): boolean {
		const out = this.#out;
		const { memory, unitOffset, unitLength } = this;
		out.metadata();
		if (unitLength > 0) {
			out.field(unitKey);
			out.raw(memory, unitOffset, unitLength);
			out.byte(quote);
		}
		if (this.#hostLength > 0) {
			out.field(hostnameKey);
			out.raw(memory, this.#hostOffset, this.#hostLength);
			out.byte(quote);
		}
		if (this.#priority !== noPriority) {
			out.field(priorityKey);
			out.byte(48 + this.#priority);
			out.byte(quote);
		}
		out.member(severityMembers[this.#priority] ?? plainSeverity);
		if (unitLength > 0) {
			out.member(subjectMember);
			out.raw(memory, unitOffset, unitLength);
			out.byte(quote);
		}
		return out.end();
	}

	noteSpecial(kind: number, start: number, end: number): void {
		this.#noteHit(kind, start, end, valueUnknown, this.memory.bytes[start + 1] ?? 0);
	}

	/**
	 * As `noteSpecial` for a value whose bytes may still be on their way from the fragment cache, where it has its place: `first` is the first of them behind
	 * the quote.
	 */
	#noteHit(kind: number, start: number, end: number, place: number, first: number): void {
		if (kind === special.unit) {
			this.#unitPlace = place;
			this.unitOffset = start + 1;
			this.unitLength = end - start - 2;
		} else if (kind === special.hostname) {
			this.#hostPlace = place;
			this.#hostOffset = start + 1;
			this.#hostLength = end - start - 2;
		} else if (kind === special.priority) {
			const digit = first - 48;
			this.#priority = end - start === 3 && digit >= 0 && digit <= 7 ? digit : noPriority;
		}
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
				const name = keys.textLength(key);
				this.#noteHit(kind, end - length + name, end, start, fragments.bytes[start + name + 1] ?? 0);
			}
		}
		if (runEnd > runStart) out.raw(fragments, runStart, runEnd - runStart);
		out.byte(brace);
		return !out.overflow;
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
