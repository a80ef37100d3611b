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
 * Prepares the head of an event. `type` as in `tapio.process.exec`. `idPrefix` is put before whatever the decoder writes as the id;
 * both contain no characters that JSON escapes.
 */
export function eventTemplate(source: string, type: string, severity: Severity, idPrefix = ""): EventTemplate {
	const { number, text } = severities[severity];
	return {
		head: literal(
			`{"specversion":"1.0","source":${JSON.stringify(source)},"type":"${type}","datacontenttype":"application/json",` +
				`"severitynumber":${number},"severitytext":"${text}","id":"${idPrefix}`,
		),
	};
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
const sequenceDigits = 20;
/** 9999-12-31T23:59:59Z. */
const secondsMax = 253_402_300_799;

/**
 * Writes one CloudEvent after the other into a batch. The order of calls is fixed:
 * `begin`, the id through the JsonWriter's methods, `time`, `subject` (may be left out), `data`, then `metadata`, `attributes`, `rawRecord`,
 * `alteredList`, each at most once, their fields after `field(key)`, and `end`. One thread, no allocation.
 */
export class EventWriter extends JsonWriter {
	/** Number of the event within its collector, set by the lane before `begin`. */
	sequence = 0;
	#start = 0;
	#first = true;
	#section = false;
	readonly #secondsText = literal(timeOpen + " ".repeat(secondsLength));
	#seconds = -1;

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
		if (seconds !== this.#seconds) {
			this.#seconds = seconds;
			const text = new Date(seconds * 1000).toISOString();
			for (let index = 0; index < secondsLength; index++) this.#secondsText.bytes[timeOpen.length + index] = text.charCodeAt(index);
		}
		this.literal(this.#secondsText);
		this.decimal(fraction, digits);
		this.literal(sequenceOpen);
		this.decimal(this.sequence, sequenceDigits);
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

	/** Opens `data.altered`, what was changed on the way; append one JSON array of objects with `field`, `reason` and, where known, `bytes`. */
	alteredList(): void {
		this.#close();
		this.literal(alteredOpen);
		this.#first = false;
	}

	/** Ends the event. False where it did not fit: then the writer stands where the event began, and may be attached elsewhere. */
	end(): boolean {
		if (this.#section) this.byte(0x7d);
		this.#section = false;
		this.byte(0x7d);
		this.byte(0x7d);
		if (!this.overflow) return true;
		this.position = this.#start;
		this.overflow = false;
		return false;
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
