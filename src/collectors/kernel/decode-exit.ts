import type { EventTemplate, EventWriter } from "../../event/event-writer.ts";
import { literal } from "../../event/json-writer.ts";
import type { Memory } from "../../platform/ffi/memory.ts";
import { writeAlterations } from "./alterations.ts";
import type { EventHead } from "./event-head.ts";
import { tapioExit, tapioRecord, tapioTask } from "./layout.gen.ts";
import type { DecoderTools, RecordDecoder } from "./record-decoder.ts";
import { decimalString, type TaskWriter, taskAt, writeSubject } from "./task-fields.ts";

const exitCode = literal('"process.exit.code":');
const exitSignal = literal('"process.exit.signal":');
const coreDumped = literal('"tapio.process.core_dumped":');
const duration = literal('"tapio.process.duration_ns":');
const cpuTime = literal('"tapio.process.cpu_time_ns":');
const majorFaults = literal('"tapio.process.major_faults":');
const maxRss = literal('"tapio.process.max_rss_bytes":');
const yes = literal("true");
const no = literal("false");

/** Turns struct tapio_exit into tapio.process.exit. */
export class ExitDecoder implements RecordDecoder {
	readonly #head: EventHead;
	readonly #task: TaskWriter;
	readonly #clean: EventTemplate;
	readonly #failed: EventTemplate;
	readonly #killed: EventTemplate;
	readonly #dumped: EventTemplate;

	constructor(head: EventHead, { task }: DecoderTools) {
		this.#head = head;
		this.#task = task;
		this.#clean = head.template("tapio.process.exit", "info");
		this.#failed = head.template("tapio.process.exit", "notice");
		this.#killed = head.template("tapio.process.exit", "warn");
		this.#dumped = head.template("tapio.process.exit", "error");
	}

	decode(memory: Memory, offset: number, _length: number, event: EventWriter): boolean {
		const status = memory.words[(offset + tapioExit.status) >>> 2] ?? 0;
		// wait(2): the lower seven bits are the signal, the eighth says core dump, the next eight the code.
		const signal = status & 0x7f;
		this.#head.begin(this.#template(status), memory, offset, event);
		event.subject();
		writeSubject(event, memory, offset);
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
		writeDuration(event, memory, offset);
		event.field(cpuTime);
		decimalString(event, memory, offset + tapioExit.cpuNanoseconds);
		for (const [key, at] of counts) {
			event.field(key);
			const word = (offset + at) >>> 2;
			event.decimal64(memory.words[word] ?? 0, memory.words[word + 1] ?? 0);
		}
		if (!clean) writeAlterations(event, [{ field: "tapio.process.comm", reason: "invalid_utf8" }]);
		return event.end();
	}

	#template(status: number): EventTemplate {
		if ((status & 0x80) !== 0) return this.#dumped;
		if ((status & 0x7f) !== 0) return this.#killed;
		return status === 0 ? this.#clean : this.#failed;
	}
}

const counts = [
	[majorFaults, tapioExit.majorFaults],
	[maxRss, tapioExit.maxRssBytes],
] as const;

/** Now minus start, in two words with a borrow; 0 where the start lies ahead. */
function writeDuration(event: EventWriter, memory: Memory, offset: number): void {
	const { words } = memory;
	const now = (offset + tapioRecord.boottime) >>> 2;
	const start = (offset + taskAt + tapioTask.start) >>> 2;
	const low = (words[now] ?? 0) - (words[start] ?? 0);
	const high = (words[now + 1] ?? 0) - (words[start + 1] ?? 0) - (low < 0 ? 1 : 0);
	event.byte(0x22);
	event.decimal64(high < 0 ? 0 : low >>> 0, Math.max(0, high));
	event.byte(0x22);
}
