import type { EventTemplate, EventWriter } from "../../event/event-writer.ts";
import { literal } from "../../event/json-writer.ts";
import type { Memory } from "../../platform/ffi/memory.ts";
import { writeAlterations } from "./alterations.ts";
import type { EventHead } from "./event-head.ts";
import { tapioFork } from "./layout.gen.ts";
import type { DecoderTools, RecordDecoder } from "./record-decoder.ts";
import { decimalString, namespaceNames, type TaskWriter, writeSubject } from "./task-fields.ts";

const creatorPid = literal('"tapio.process.creator_pid":');
const creatorStart = literal('"tapio.process.creator_start":');
const newNamespaces = literal('"tapio.namespace.new":');

/** Turns struct tapio_fork into tapio.process.fork; the subject is the child. */
export class ForkDecoder implements RecordDecoder {
	readonly #head: EventHead;
	readonly #task: TaskWriter;
	readonly #template: EventTemplate;

	constructor(head: EventHead, { task }: DecoderTools) {
		this.#head = head;
		this.#task = task;
		this.#template = head.template("tapio.process.fork", "info");
	}

	decode(memory: Memory, offset: number, _length: number, event: EventWriter): boolean {
		this.#head.begin(this.#template, memory, offset, event);
		event.subject();
		writeSubject(event, memory, offset);
		event.data();
		event.attributes();
		const clean = this.#task.write(event, memory, offset);
		event.field(creatorPid);
		event.decimal(memory.words[(offset + tapioFork.creatorPid) >>> 2] ?? 0);
		event.field(creatorStart);
		decimalString(event, memory, offset + tapioFork.creatorStart);
		const changed = memory.words[(offset + tapioFork.newNamespaces) >>> 2] ?? 0;
		if (changed !== 0) {
			event.field(newNamespaces);
			writeNames(event, changed);
		}
		if (!clean) writeAlterations(event, [{ field: "tapio.process.comm", reason: "invalid_utf8" }]);
		return event.end();
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
