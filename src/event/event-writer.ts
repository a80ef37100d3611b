import { assert } from "../base/assert.ts";
import type { Memory } from "../platform/ffi/memory.ts";
import { JsonWriter, literal } from "./json-writer.ts";
import { type Severity, severities } from "./severity.ts";

/** What every event of one kind from one collector on one node begins with, prepared once. */
export interface EventTemplate {
	/** The text up to and with the opening quote of the id. */
	readonly head: Memory;
}

/** Who this agent is; the values are plain text, not yet encoded. */
export interface NodeIdentity {
	readonly cluster: string;
	readonly node: string;
}

/** `/<cluster>/<node>/<collector>`, each part percent-encoded (RFC 3986), as CloudEvents wants of `source`. */
export function eventSource(identity: NodeIdentity, collector: string): string {
	return `/${[identity.cluster, identity.node, collector].map(encodeURIComponent).join("/")}`;
}

/**
 * Prepares the head of an event. `type` as in `tapio.process.exec`. Without `severity` the event names its own as a {@link severityMember}. `idPrefix` is put
 * before whatever the decoder writes as the id. None of them contains characters that JSON escapes.
 */
export function eventTemplate(source: string, type: string, severity?: Severity, idPrefix = ""): EventTemplate {
	const severityText = severity === undefined ? "" : `${severityMembers(severity)},`;
	return {
		head: literal(
			`{"specversion":"1.0","source":${JSON.stringify(source)},"type":"${type}","datacontenttype":"application/json",${severityText}"id":"${idPrefix}`,
		),
	};
}

/** A severity for {@link EventWriter.member}. */
export function severityMember(severity: Severity): Memory {
	return literal(`,${severityMembers(severity)}`);
}

/** The subject for {@link EventWriter.member}, up to and with its opening quote. */
export const subjectMember = literal(',"subject":"');

function severityMembers(severity: Severity): string {
	const { number, text } = severities[severity];
	return `"severitynumber":${number},"severitytext":"${text}"`;
}

const timeOpen = '","time":"';
const sequenceOpen = literal('Z","sequence":"');
/** Of "2026-01-02T03:04:05.", the part of a time that changes once a second. */
const secondsLength = 20;
const subjectOpen = literal('","subject":"');
const dataOpen = literal('","data":{');
const metadataOpen = literal('"metadata":{');
const attributesOpen = literal('"attributes":{');
const rawOpen = literal('"raw":');
const alteredOpen = literal('"altered":');

/** Digits of a sequence, so that text order is number order (CloudEvents, "sequence" extension). */
export const sequenceDigits = 20;
/** 9999-12-31T23:59:59Z. */
const secondsMax = 253_402_300_799;

/**
 * Writes one CloudEvent after the other into a batch. The order of calls is fixed:
 * `begin`, the id through the JsonWriter's methods, `time`, `subject` (may be left out), `data`, then `metadata`, `attributes`, `rawRecord`,
 * `alteredList`, each at most once, their fields after `field(key)`, then `member` for what is known last, and `end`. One thread, no allocation.
 */
export class EventWriter extends JsonWriter {
	/** Number of the event within its collector, set by the lane before `begin`. */
	sequence = 0;
	/** Where the digits of the sequence begin, after `time`. */
	sequenceAt = 0;
	/** Where the digits of the time's fraction begin, after `time`. */
	fractionAt = 0;
	#start = 0;
	#first = true;
	#section = false;
	#inData = false;
	readonly #secondsText = literal(timeOpen + " ".repeat(secondsLength));
	#seconds = -1;

	/** Where the event being written begins. */
	get start(): number {
		return this.#start;
	}

	/** Starts an event. Whatever is appended until `time` becomes part of its id. */
	begin(template: EventTemplate): void {
		this.#start = this.position;
		this.#section = false;
		this.literal(template.head);
	}

	/**
	 * The event's time: whole seconds since the epoch, before the year 10000 as RFC 3339 wants, and its fraction in `digits` decimal digits
	 * (6: microseconds, 9: nanoseconds).
	 */
	time(seconds: number, fraction: number, digits: 6 | 9): void {
		assert(seconds >= 0 && seconds <= secondsMax, "A time lies between 1970 and 9999");
		assert(fraction >= 0 && fraction < (digits === 6 ? 1e6 : 1e9), "A fraction is less than a second");
		this.#setSeconds(seconds);
		this.literal(this.#secondsText);
		this.fractionAt = this.position;
		this.decimal(fraction, digits);
		this.literal(sequenceOpen);
		this.sequenceAt = this.position;
		this.decimal(this.sequence, sequenceDigits);
	}

	/** Writes other seconds over those of a time whose fraction begins at `fractionAt`. */
	overwriteSeconds(fractionAt: number, seconds: number): void {
		this.#setSeconds(seconds);
		this.memory.copy(fractionAt - secondsLength, this.#secondsText, timeOpen.length, secondsLength);
	}

	#setSeconds(seconds: number): void {
		if (seconds === this.#seconds) return;
		this.#seconds = seconds;
		const text = new Date(seconds * 1000).toISOString();
		for (let index = 0; index < secondsLength; index++) this.#secondsText.bytes[timeOpen.length + index] = text.charCodeAt(index);
	}

	/** Opens the entity the event is about; append it escaped. It ends at `data`. */
	subject(): void {
		this.literal(subjectOpen);
	}

	/** Opens `data`. */
	data(): void {
		this.literal(dataOpen);
		this.#first = true;
		this.#section = false;
		this.#inData = true;
	}

	/** Opens `data.metadata`. */
	metadata(): void {
		this.#open(metadataOpen);
	}

	/** Opens `data.attributes`. */
	attributes(): void {
		this.#open(attributesOpen);
	}

	/** A field of the open section: `key` is a literal of `"name":`; append the value as JSON. */
	field(key: Memory): void {
		assert(this.#section, "A section is open");
		if (!this.#first) this.byte(0x2c);
		this.#first = false;
		this.literal(key);
	}

	/** Opens `data.raw`; append one JSON value. */
	rawRecord(): void {
		this.#close();
		this.literal(rawOpen);
		this.#first = false;
	}

	/** Goes on inside the raw record of an event whose head, from `start` to `position`, stands in the memory already, with its sequence at `sequenceAt`. */
	resumeRaw(start: number, position: number, sequenceAt: number): void {
		this.sequenceAt = sequenceAt;
		this.#start = start;
		this.#inData = true;
		this.#section = false;
		this.#first = false;
		this.position = position;
	}

	/** Opens `data.altered`, what was changed on the way; append one JSON array of objects with `field`, `reason` and, where known, `bytes`. */
	alteredList(): void {
		this.#close();
		this.literal(alteredOpen);
		this.#first = false;
	}

	/** Ends `data` and appends a member of the event behind it: {@link severityMember}, or {@link subjectMember} and the rest of its text. */
	member(text: Memory): void {
		this.#endData();
		this.literal(text);
	}

	/** Ends the event. False where it did not fit: then the writer stands where the event began, and may be attached elsewhere. */
	end(): boolean {
		this.#endData();
		this.byte(0x7d);
		return this.#ended();
	}

	/** Ends the event with bytes that another event had from the same place on, written between the same calls. As `end`. */
	endWith(tail: Memory, offset: number, length: number): boolean {
		this.raw(tail, offset, length);
		this.#section = false;
		this.#inData = false;
		return this.#ended();
	}

	/**
	 * A whole event that another writer made with the sequence 0: copies its `length` bytes and fills in this writer's `sequence` at `sequenceAt` of
	 * them. False where it does not fit; nothing is written then.
	 */
	ready(source: Memory, offset: number, length: number, sequenceAt: number): boolean {
		const start = this.position;
		if (start + length > this.limit) return false;
		assert(sequenceAt + sequenceDigits <= length, "The sequence lies inside the event");
		this.memory.copy(start, source, offset, length);
		this.position = start + sequenceAt;
		this.decimal(this.sequence, sequenceDigits);
		this.position = start + length;
		return true;
	}

	/**
	 * Copies what another event consisted of: all of it, or its beginning up to a place inside its attributes, behind which `field` goes on. False where it does
	 * not fit; then nothing is written. Its id, time, sequence and other numbers are to be overwritten.
	 */
	repeat(text: Memory, length: number, whole: boolean): boolean {
		const start = this.position;
		if (this.overflow || start + length > this.limit) return false;
		this.memory.copy(start, text, 0, length);
		this.#start = start;
		this.position = start + length;
		this.#inData = !whole;
		this.#section = !whole;
		this.#first = false;
		return true;
	}

	#ended(): boolean {
		if (!this.overflow) return true;
		this.position = this.#start;
		this.overflow = false;
		return false;
	}

	#endData(): void {
		if (!this.#inData) return;
		if (this.#section) this.byte(0x7d);
		this.#section = false;
		this.#inData = false;
		this.byte(0x7d);
	}

	#open(opening: Memory): void {
		this.#close();
		this.literal(opening);
		this.#section = true;
		this.#first = true;
	}

	#close(): void {
		if (this.#section) {
			this.byte(0x7d);
			this.#section = false;
			this.#first = false;
		}
		if (!this.#first) this.byte(0x2c);
	}
}
