import type { EventTemplate, EventWriter } from "../../event/event-writer.ts";
import { literal } from "../../event/json-writer.ts";
import type { Memory } from "../../platform/ffi/memory.ts";
import { writeAlterations } from "./alterations.ts";
import type { EventHead } from "./event-head.ts";
import { EventShapes, type ShapedRecord } from "./event-shapes.ts";
import { tapioExit, tapioRecord, tapioTask } from "./layout.gen.ts";
import type { NumberWriter } from "./number-writer.ts";
import type { DecoderTools, RecordDecoder } from "./record-decoder.ts";
import { type TaskWriter, taskAt, taskNumbers } from "./task-fields.ts";

const exitCode = literal('"process.exit.code":');
const exitSignal = literal('"process.exit.signal":');
const coreDumped = literal('"tapio.process.core_dumped":');
const duration = literal('"tapio.process.duration_ns":');
const cpuTime = literal('"tapio.process.cpu_time_ns":');
const majorFaults = literal('"tapio.process.major_faults":');
const maxRss = literal('"tapio.process.max_rss_bytes":');
const yes = literal("true");
const no = literal("false");

const shaped: ShapedRecord = {
	bytes: tapioExit.reserved,
	numbers: [
		...taskNumbers,
		{ at: tapioExit.cpuNanoseconds, words: 2 },
		{ at: tapioExit.majorFaults, words: 2 },
		{ at: tapioExit.maxRssBytes, words: 2 },
		// The duration.
		{ at: tapioRecord.boottime, words: 2, minus: taskAt + tapioTask.start },
	],
	part: "whole",
};

/** Turns struct tapio_exit into tapio.process.exit. */
export class ExitDecoder implements RecordDecoder {
	readonly #head: EventHead;
	readonly #task: TaskWriter;
	readonly #numbers: NumberWriter;
	readonly #shapes: EventShapes;
	readonly #clean: EventTemplate;
	readonly #failed: EventTemplate;
	readonly #killed: EventTemplate;
	readonly #dumped: EventTemplate;

	constructor(head: EventHead, { numbers, task }: DecoderTools) {
		this.#head = head;
		this.#task = task;
		this.#numbers = numbers;
		this.#shapes = new EventShapes(head, numbers, shaped);
		this.#clean = head.template("tapio.process.exit", "info");
		this.#failed = head.template("tapio.process.exit", "notice");
		this.#killed = head.template("tapio.process.exit", "warn");
		this.#dumped = head.template("tapio.process.exit", "error");
	}

	decode(memory: Memory, offset: number, _length: number, event: EventWriter): boolean {
		if (this.#shapes.repeat(memory, offset, event)) return true;
		const status = memory.words[(offset + tapioExit.status) >>> 2] ?? 0;
		// wait(2): the lower seven bits are the signal, the eighth says core dump, the next eight the code.
		const signal = status & 0x7f;
		this.#head.begin(this.#template(status), memory, offset, event);
		event.subject();
		this.#task.subject(event, memory, offset);
		event.data();
		event.attributes();
		const clean = this.#task.write(event, memory, offset);
		event.field(signal === 0 ? exitCode : exitSignal);
		event.decimal(signal === 0 ? (status >>> 8) & 0xff : signal);
		if (signal !== 0) {
			event.field(coreDumped);
			event.literal((status & 0x80) !== 0 ? yes : no);
		}
		event.field(duration);
		event.byte(0x22);
		this.#numbers.note(event, tapioRecord.boottime);
		writeDuration(event, memory, offset);
		event.byte(0x22);
		event.field(cpuTime);
		this.#numbers.string64(event, memory, offset, tapioExit.cpuNanoseconds);
		event.field(majorFaults);
		this.#numbers.number64(event, memory, offset, tapioExit.majorFaults);
		event.field(maxRss);
		this.#numbers.number64(event, memory, offset, tapioExit.maxRssBytes);
		if (!clean) writeAlterations(event, [{ field: "tapio.process.comm", reason: "invalid_utf8" }]);
		const fits = event.end();
		if (fits) this.#shapes.keep(memory, offset, event);
		return fits;
	}

	#template(status: number): EventTemplate {
		if ((status & 0x80) !== 0) return this.#dumped;
		if ((status & 0x7f) !== 0) return this.#killed;
		return status === 0 ? this.#clean : this.#failed;
	}
}

/** Now minus start, in two words with a borrow; 0 where the start lies ahead. */
function writeDuration(event: EventWriter, memory: Memory, offset: number): void {
	const { words } = memory;
	const now = (offset + tapioRecord.boottime) >>> 2;
	const start = (offset + taskAt + tapioTask.start) >>> 2;
	const low = (words[now] ?? 0) - (words[start] ?? 0);
	const high = (words[now + 1] ?? 0) - (words[start + 1] ?? 0) - (low < 0 ? 1 : 0);
	event.decimal64(high < 0 ? 0 : low >>> 0, Math.max(0, high));
}
