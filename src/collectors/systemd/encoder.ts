import { assert } from "../../base/assert.ts";
import { EventWriter, eventSource, eventTemplate, type NodeIdentity, severityMember, subjectMember } from "../../event/event-writer.ts";
import { literal } from "../../event/json-writer.ts";
import type { Severity } from "../../event/severity.ts";
import type { Journal } from "../../platform/ffi/libsystemd.ts";
import { Memory } from "../../platform/ffi/memory.ts";
import { readyTextOffset, writeReadyHead } from "../ready-record.ts";
import { CursorPoint } from "./cursor-point.ts";
import { EntryHead } from "./entry-head.ts";
import { createFieldWriter, type FieldWriter, noPlace } from "./field-writer.ts";
import { special } from "./key-table.ts";
import { type EntryFrame, encodeSlowly } from "./slow-entry.ts";
import { TailCache, valueAbsent } from "./tail-cache.ts";

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
	#journal: Journal | undefined;
	#fields: FieldWriter | undefined;
	readonly #tails = new TailCache();
	#tailsGeneration = 0;
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

	/** Reads the entries of this journal from now on. */
	attach(journal: Journal): void {
		this.#journal = journal;
		this.#fields = createFieldWriter(journal, this.#out, this.#staging, (kind, start, end, first, place) => {
			this.#noteSpecial(kind, start, end, first, place);
		});
		this.#tails.clear();
		this.#tailsGeneration = this.#fields.generation();
	}

	/** Reads the cursor of the journal's current entry into `point`. Its length, or a negative errno. Call it before `encode`. */
	readCursor(): number {
		assert(this.#journal !== undefined, "A journal is attached");
		const { point } = this;
		const length = this.#journal.cursor(point.memory, 0);
		if (length > 0) point.read(length);
		return length;
	}

	/** Formats the journal's current entry, whose cursor was read. Never throws for what an entry holds. */
	encode(): EncodeResult {
		const journal = this.#journal;
		const fields = this.#fields;
		assert(journal !== undefined && fields !== undefined, "A journal is attached");
		this.head();
		const result = fields.write();
		if (result === "unreadable") return "unreadable";
		this.#out.byte(brace);
		if ((result === "slow" || !this.tail()) && !encodeSlowly(journal, this.#out, this.#recordBytesMax, this)) return "unreadable";
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
		const generation = this.#fields?.generation() ?? 0;
		if (this.#tailsGeneration !== generation) {
			// The cache began afresh within this entry: places noted before that mean something else by now.
			this.#tailsGeneration = generation;
			tails.clear();
			return this.#writeTail();
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
		this.#noteSpecial(kind, start, end, this.memory.bytes[start + 1] ?? 0, noPlace);
	}

	#noteSpecial(kind: number, start: number, end: number, first: number, place: number): void {
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
}
