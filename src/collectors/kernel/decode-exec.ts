import type { EventTemplate, EventWriter } from "../../event/event-writer.ts";
import { literal } from "../../event/json-writer.ts";
import type { Memory } from "../../platform/ffi/memory.ts";
import { type Alteration, writeAlterations } from "./alterations.ts";
import { ArgumentsWriter } from "./arguments.ts";
import type { EventHead } from "./event-head.ts";
import { EventShapes, type ShapedRecord } from "./event-shapes.ts";
import { tapioExec, tapioExecFlag, tapioTask } from "./layout.gen.ts";
import type { DecoderTools, RecordDecoder } from "./record-decoder.ts";
import { type TaskWriter, taskAt, taskNumbers, textString } from "./task-fields.ts";

const executablePath = literal('"process.executable.path":');
const executableName = literal('"process.executable.name":');
const interpreterPath = literal('"tapio.process.interpreter.path":');
const argumentCount = literal('"process.args_count":');
const commandArguments = literal('"process.command_args":');

/** Where a text of the record lies in memory, clamped to the record. */
interface Span {
	readonly at: number;
	readonly length: number;
}

/** What comes behind the task's attributes is another text in nearly every event. */
const shaped: ShapedRecord = { bytes: taskAt + tapioTask.size, numbers: taskNumbers, part: "attributes" };

/** Turns struct tapio_exec and its texts into tapio.process.exec. */
export class ExecDecoder implements RecordDecoder {
	readonly #head: EventHead;
	readonly #task: TaskWriter;
	readonly #shapes: EventShapes;
	readonly #template: EventTemplate;
	readonly #arguments: ArgumentsWriter;

	constructor(head: EventHead, { numbers, task, redactArguments }: DecoderTools) {
		this.#head = head;
		this.#task = task;
		this.#shapes = new EventShapes(head, numbers, shaped);
		this.#template = head.template("tapio.process.exec", "info");
		this.#arguments = new ArgumentsWriter(redactArguments);
	}

	decode(memory: Memory, offset: number, length: number, event: EventWriter): boolean {
		const flags = half(memory, offset + tapioExec.flags);
		const altered: Alteration[] = [];
		const end = offset + length;
		const path = span(offset + tapioExec.size, half(memory, offset + tapioExec.filenameBytes), end);
		const interpreter = span(path.at + path.length, half(memory, offset + tapioExec.interpreterBytes), end);
		const list = span(interpreter.at + interpreter.length, half(memory, offset + tapioExec.argumentsBytes), end);
		if (!this.#shapes.repeat(memory, offset, event)) this.#writeTask(memory, offset, event, altered);
		if (path.length > 0) writePath(event, memory, path, flags, altered);
		if (interpreter.length > 0) writeInterpreter(event, memory, interpreter, flags, altered);
		event.field(argumentCount);
		event.decimal(memory.words[(offset + tapioExec.argumentCount) >>> 2] ?? 0);
		if ((flags & tapioExecFlag.execArgumentsUnreadable) !== 0) altered.push({ field: "process.command_args", reason: "unreadable" });
		else this.#writeArguments(event, memory, offset, list, flags, altered);
		writeAlterations(event, altered);
		return event.end();
	}

	#writeTask(memory: Memory, offset: number, event: EventWriter, altered: Alteration[]): void {
		this.#head.begin(this.#template, memory, offset, event);
		event.subject();
		this.#task.subject(event, memory, offset);
		event.data();
		event.attributes();
		if (this.#task.write(event, memory, offset)) this.#shapes.keep(memory, offset, event);
		else altered.push({ field: "tapio.process.comm", reason: "invalid_utf8" });
	}

	#writeArguments(event: EventWriter, memory: Memory, offset: number, list: Span, flags: number, altered: Alteration[]): void {
		event.field(commandArguments);
		const { valid, redacted } = this.#arguments.write(event, memory, list.at, list.length);
		const field = "process.command_args";
		if (!valid) altered.push({ field, reason: "invalid_utf8" });
		if (redacted) altered.push({ field, reason: "redacted" });
		if ((flags & tapioExecFlag.execArgumentsCut) !== 0) {
			const word = (offset + tapioExec.argumentsTotal) >>> 2;
			altered.push({ field, reason: "cut", bytes: (memory.words[word] ?? 0) + ((memory.words[word + 1] ?? 0) & 0x1fffff) * 2 ** 32 });
		}
	}
}

function writePath(event: EventWriter, memory: Memory, path: Span, flags: number, altered: Alteration[]): void {
	event.field(executablePath);
	if (!textString(event, memory, path.at, path.length)) altered.push({ field: "process.executable.path", reason: "invalid_utf8" });
	if ((flags & tapioExecFlag.execFilenameCut) !== 0) {
		// The end is what was cut, and with it the name.
		altered.push({ field: "process.executable.path", reason: "cut" });
		return;
	}
	let name = path.at + path.length;
	while (name > path.at && memory.bytes[name - 1] !== 0x2f) name--;
	event.field(executableName);
	const length = path.at + path.length - name;
	if (!textString(event, memory, name, length)) altered.push({ field: "process.executable.name", reason: "invalid_utf8" });
}

function writeInterpreter(event: EventWriter, memory: Memory, interpreter: Span, flags: number, altered: Alteration[]): void {
	const field = "tapio.process.interpreter.path";
	event.field(interpreterPath);
	if (!textString(event, memory, interpreter.at, interpreter.length)) altered.push({ field, reason: "invalid_utf8" });
	if ((flags & tapioExecFlag.execInterpreterCut) !== 0) altered.push({ field, reason: "cut" });
}

function half(memory: Memory, at: number): number {
	return (memory.bytes[at] ?? 0) | ((memory.bytes[at + 1] ?? 0) << 8);
}

function span(at: number, length: number, end: number): Span {
	return { at: Math.min(at, end), length: Math.max(0, Math.min(length, end - at)) };
}
