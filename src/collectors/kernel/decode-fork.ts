import type { EventTemplate, EventWriter } from "../../event/event-writer.ts";
import { literal } from "../../event/json-writer.ts";
import type { Memory } from "../../platform/ffi/memory.ts";
import { writeAlterations } from "./alterations.ts";
import type { EventHead } from "./event-head.ts";
import { EventShapes, type ShapedRecord } from "./event-shapes.ts";
import { tapioFork } from "./layout.gen.ts";
import type { NumberWriter } from "./number-writer.ts";
import type { DecoderTools, RecordDecoder } from "./record-decoder.ts";
import { namespaceNames, type TaskWriter, taskNumbers } from "./task-fields.ts";

const creatorPid = literal('"tapio.process.creator_pid":');
const creatorStart = literal('"tapio.process.creator_start":');
const newNamespaces = literal('"tapio.namespace.new":');

const shaped: ShapedRecord = {
	bytes: tapioFork.size,
	numbers: [...taskNumbers, { at: tapioFork.creatorPid, words: 1 }, { at: tapioFork.creatorStart, words: 2 }],
	part: "whole",
};

/** Turns struct tapio_fork into tapio.process.fork; the subject is the child. */
export class ForkDecoder implements RecordDecoder {
	readonly #head: EventHead;
	readonly #task: TaskWriter;
	readonly #numbers: NumberWriter;
	readonly #shapes: EventShapes;
	readonly #template: EventTemplate;

	constructor(head: EventHead, { numbers, task }: DecoderTools) {
		this.#head = head;
		this.#task = task;
		this.#numbers = numbers;
		this.#shapes = new EventShapes(head, numbers, shaped);
		this.#template = head.template("tapio.process.fork", "info");
	}

	decode(memory: Memory, offset: number, _length: number, event: EventWriter): boolean {
		if (this.#shapes.repeat(memory, offset, event)) return true;
		this.#head.begin(this.#template, memory, offset, event);
		event.subject();
		this.#task.subject(event, memory, offset);
		event.data();
		event.attributes();
		const clean = this.#task.write(event, memory, offset);
		event.field(creatorPid);
		this.#numbers.number(event, memory, offset, tapioFork.creatorPid);
		event.field(creatorStart);
		this.#numbers.string64(event, memory, offset, tapioFork.creatorStart);
		const changed = memory.words[(offset + tapioFork.newNamespaces) >>> 2] ?? 0;
		if (changed !== 0) {
			event.field(newNamespaces);
			writeNames(event, changed);
		}
		if (!clean) writeAlterations(event, [{ field: "tapio.process.comm", reason: "invalid_utf8" }]);
		const fits = event.end();
		if (fits) this.#shapes.keep(memory, offset, event);
		return fits;
	}
}

function writeNames(event: EventWriter, changed: number): void {
	let separator = 0x5b;
	for (const [index, name] of namespaceNames.entries()) {
		if ((changed & (1 << index)) === 0) continue;
		event.byte(separator);
		event.byte(0x22);
		event.ascii(name);
		event.byte(0x22);
		separator = 0x2c;
	}
	if (separator === 0x5b) event.byte(separator);
	event.byte(0x5d);
}
