import { type EventTemplate, type EventWriter, eventSource, eventTemplate, type NodeIdentity } from "../../event/event-writer.ts";
import { literal } from "../../event/json-writer.ts";
import type { Severity } from "../../event/severity.ts";
import type { RingReader } from "../../ring/reader.ts";
import type { Decoded, Decoder } from "../collector.ts";
import {
	kindCheckpoint,
	kindGap,
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
import { beforeMark } from "./start-position.ts";

/** Severity by syslog priority, emergency first (OpenTelemetry logs data model, appendix B, "Syslog"). */
const severityByPriority: readonly Severity[] = ["fatal", "alert", "critical", "error", "warn", "notice", "info", "debug"];

const unitKey = literal('"unit":"');
const hostnameKey = literal('"hostname":"');
const priorityKey = literal('"priority":"');
const gapSuffix = literal("-gap");
const microsecondsPerSecond = 1_000_000;

/** Turns journal records into events. Data worker's thread. */
export class JournalDecoder implements Decoder {
	cursorOffset = 0;
	cursorLength = 0;
	readonly #byPriority: readonly EventTemplate[];
	readonly #plain: EventTemplate;
	readonly #gap: EventTemplate;

	constructor(identity: NodeIdentity) {
		const source = eventSource(identity, "systemd");
		this.#byPriority = severityByPriority.map((severity) => eventTemplate(source, "tapio.systemd.entry", severity));
		this.#plain = eventTemplate(source, "tapio.systemd.entry", "info");
		this.#gap = eventTemplate(source, "tapio.systemd.gap", "error");
	}

	decode(record: RingReader, event: EventWriter): Decoded {
		const { words } = record.memory;
		const base = record.offset >>> 2;
		this.cursorOffset = record.offset + (words[base + wordCursorOffset] ?? 0);
		this.cursorLength = words[base + wordCursorLength] ?? 0;
		if (record.kind === kindCheckpoint) return "none";
		const priority = words[base + wordPriority] ?? noPriority;
		const isGap = record.kind === kindGap;
		event.begin(isGap ? this.#gap : (this.#byPriority[priority] ?? this.#plain));
		this.#id(record, event, isGap ? this.cursorLength - beforeMark.length : this.cursorLength);
		if (isGap) event.literal(gapSuffix);
		const realtime = (words[base + wordRealtimeLow] ?? 0) + (words[base + wordRealtimeHigh] ?? 0) * 2 ** 32;
		const seconds = Math.floor(realtime / microsecondsPerSecond);
		event.time(seconds, realtime - seconds * microsecondsPerSecond, 6);
		return isGap ? this.#gapData(record, event) : this.#entryData(record, event, priority);
	}

	/** `<s>-<i>-<x>` of the cursor `s=…;i=…;b=…;m=…;t=…;x=…`: what names the entry for ever. */
	#id(record: RingReader, event: EventWriter, length: number): void {
		const { memory } = record;
		const { bytes } = memory;
		const start = this.cursorOffset;
		const end = start + length;
		event.raw(memory, start + 2, 32);
		event.byte(0x2d);
		let at = start + 37;
		while (at < end && bytes[at] !== 0x3b) at++;
		event.raw(memory, start + 37, at - start - 37);
		event.byte(0x2d);
		let last = end;
		while (last > at && bytes[last - 1] !== 0x3d) last--;
		event.raw(memory, last, end - last);
	}

	#entryData(record: RingReader, event: EventWriter, priority: number): Decoded {
		const { words } = record.memory;
		const base = record.offset >>> 2;
		const unitOffset = record.offset + (words[base + wordUnitOffset] ?? 0);
		const unitLength = words[base + wordUnitLength] ?? 0;
		const hostOffset = record.offset + (words[base + wordHostOffset] ?? 0);
		const hostLength = words[base + wordHostLength] ?? 0;
		const rawLength = words[base + wordRawLength] ?? 0;
		const alteredLength = words[base + wordAlteredLength] ?? 0;
		if (unitLength > 0) {
			event.subject();
			event.raw(record.memory, unitOffset, unitLength);
		}
		event.data();
		event.metadata();
		if (unitLength > 0) this.#text(event, unitKey, record, unitOffset, unitLength);
		if (hostLength > 0) this.#text(event, hostnameKey, record, hostOffset, hostLength);
		if (priority !== noPriority) {
			event.field(priorityKey);
			event.byte(48 + priority);
			event.byte(0x22);
		}
		event.rawRecord();
		event.raw(record.memory, record.offset + textOffset, rawLength);
		if (alteredLength > 0) {
			event.alteredList();
			event.raw(record.memory, record.offset + textOffset + rawLength, alteredLength);
		}
		return event.end() ? "event" : "full";
	}

	#gapData(record: RingReader, event: EventWriter): Decoded {
		const rawLength = record.memory.words[(record.offset >>> 2) + wordRawLength] ?? 0;
		event.data();
		event.attributes();
		event.raw(record.memory, record.offset + textOffset + 1, rawLength - 2);
		return event.end() ? "event" : "full";
	}

	#text(event: EventWriter, key: ReturnType<typeof literal>, record: RingReader, offset: number, length: number): void {
		event.field(key);
		event.raw(record.memory, offset, length);
		event.byte(0x22);
	}
}
