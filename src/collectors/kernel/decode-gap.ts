import type { EventTemplate, EventWriter } from "../../event/event-writer.ts";
import { literal } from "../../event/json-writer.ts";
import type { Memory } from "../../platform/ffi/memory.ts";
import type { EventHead } from "./event-head.ts";
import { gapCountAt } from "./gap-record.ts";
import type { RecordDecoder } from "./record-decoder.ts";

const lostKey = literal('"tapio.gap.lost":');
const reasonKey = literal('"tapio.gap.reason":"kernel_ring_full"');
const byTypeKey = literal('"tapio.gap.lost_by_type":{');

/** Turns a gap record into tapio.kernel.gap. */
export class GapDecoder implements RecordDecoder {
	readonly #head: EventHead;
	readonly #template: EventTemplate;
	readonly #types: readonly { readonly type: number; readonly key: Memory }[];

	/** `eventTypes`: number and name of every kind of record that can be lost. */
	constructor(head: EventHead, eventTypes: readonly (readonly [number, string])[]) {
		this.#head = head;
		this.#template = head.template("tapio.kernel.gap", "error");
		this.#types = eventTypes.map(([type, name]) => ({ type, key: literal(`"${name}":`) }));
	}

	decode(memory: Memory, offset: number, _length: number, event: EventWriter): boolean {
		this.#head.begin(this.#template, memory, offset, event);
		event.data();
		event.attributes();
		let total = 0;
		for (const { type } of this.#types) total += countOf(memory, offset, type);
		event.field(lostKey);
		event.decimal(total);
		event.field(reasonKey);
		event.field(byTypeKey);
		let first = true;
		for (const { type, key } of this.#types) {
			const count = countOf(memory, offset, type);
			if (count === 0) continue;
			if (!first) event.byte(0x2c);
			first = false;
			event.literal(key);
			event.decimal(count);
		}
		event.byte(0x7d);
		return event.end();
	}
}

function countOf(memory: Memory, offset: number, type: number): number {
	const word = (offset + gapCountAt(type)) >>> 2;
	return (memory.words[word] ?? 0) + ((memory.words[word + 1] ?? 0) & 0xffff) * 2 ** 32;
}
