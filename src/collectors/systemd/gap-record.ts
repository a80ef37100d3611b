import { type EventTemplate, EventWriter, eventSource, eventTemplate, type NodeIdentity } from "../../event/event-writer.ts";
import { Memory } from "../../platform/ffi/memory.ts";
import { eventRecord } from "../ready-record.ts";
import type { CursorPoint } from "./cursor-point.ts";
import { writeEventId, writeEventTime } from "./entry-head.ts";
import { beforeMark } from "./start-position.ts";

/** What is missing before an entry. */
export interface Gap {
	/** How many entries; undefined where that cannot be known. */
	readonly lost: number | undefined;
	readonly reason: "vacuumed" | "position_lost";
}

/** More than a gap takes, with a source of any length that a file name allows. */
const eventBytesMax = 8192;

/** Makes the events of gaps. One thread; not for hot paths. */
export class GapEncoder {
	readonly #template: EventTemplate;
	readonly #event = new EventWriter(Memory.allocate(8));

	constructor(identity: NodeIdentity) {
		this.#template = eventTemplate(eventSource(identity, "systemd"), "tapio.systemd.gap", "error");
	}

	/** A gap before the entry of `point` as a record of ready-record.ts. */
	encode({ lost, reason }: Gap, point: CursorPoint): Uint8Array {
		const event = this.#event;
		const cursor = point.text;
		// The entry behind the gap is yet to come: a successor that finds this position begins with it, and announces no gap.
		return eventRecord(event, eventBytesMax, cursor + beforeMark, () => {
			event.begin(this.#template);
			writeEventId(event, point);
			event.ascii("-gap");
			writeEventTime(event, point);
			event.data();
			event.attributes();
			event.ascii(`"tapio.gap.before":"${cursor}",`);
			event.ascii(lost === undefined ? '"tapio.gap.lost.known":false' : `"tapio.gap.lost":${lost}`);
			event.ascii(`,"tapio.gap.reason":"${reason}"`);
			return event.end();
		});
	}
}
