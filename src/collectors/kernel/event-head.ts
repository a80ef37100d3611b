import { type EventTemplate, type EventWriter, eventSource, eventTemplate, type NodeIdentity } from "../../event/event-writer.ts";
import type { Severity } from "../../event/severity.ts";
import type { Memory } from "../../platform/ffi/memory.ts";
import { Nanoseconds } from "./boot-time.ts";
import { tapioRecord } from "./layout.gen.ts";

/** The events of one start of the agent: their source and the beginning of their ids. */
export class EventHead {
	readonly #source: string;
	readonly #idPrefix: string;
	readonly #time = new Nanoseconds();
	/** The time read last: seconds since the epoch, and the rest. */
	seconds = 0;
	nanoseconds = 0;
	/** Where the digits of the last event's id begin. */
	idAt = 0;

	/** An id is `<boot id>-<run id>-kernel-<sequence>`: another boot or another start of the agent never repeats one. */
	constructor(identity: NodeIdentity, bootId: string, runId: string) {
		this.#source = eventSource(identity, "kernel");
		this.#idPrefix = `${bootId}-${runId}-kernel-`;
	}

	/** What every event of a type begins with. */
	template(type: string, severity: Severity): EventTemplate {
		return eventTemplate(this.#source, type, severity, this.#idPrefix);
	}

	/** Begins an event: id, time and sequence of the record at `offset` of `memory`. */
	begin(template: EventTemplate, memory: Memory, offset: number, event: EventWriter): void {
		event.begin(template);
		this.idAt = event.position;
		event.decimal(event.sequence);
		this.readTime(memory, offset);
		event.time(this.seconds, this.nanoseconds, fractionDigits);
	}

	/** Reads the time of the record at `offset` of `memory`. */
	readTime(memory: Memory, offset: number): void {
		const { words } = memory;
		const word = offset >>> 2;
		const at = word + tapioRecord.boottime / 4;
		// The offset's nanoseconds are below a second, or the record did not come from the collector.
		const rest = (words[word + tapioRecord.offsetNanoseconds / 4] ?? 0) % 1e9;
		this.#time.set(words[at] ?? 0, words[at + 1] ?? 0, words[word + tapioRecord.offsetSeconds / 4] ?? 0, rest);
		this.seconds = Math.min(this.#time.seconds, secondsMax);
		this.nanoseconds = this.#time.nanoseconds;
	}
}

/** Digits of the fraction of an event's time. */
export const fractionDigits = 9;
/** The last second of the year 9999: what RFC 3339 can write. */
const secondsMax = 253402300799;
