import type { EventWriter } from "../../event/event-writer.ts";
import { Memory } from "../../platform/ffi/memory.ts";
import { tapioExecLimit } from "./layout.gen.ts";
import { mayHoldSecret, redactArguments } from "./redact.ts";
import { textString } from "./task-fields.ts";

/** What happened to arguments on their way into the event. */
export interface ArgumentsResult {
	readonly valid: boolean;
	readonly redacted: boolean;
}

/** Writes the arguments of processes as JSON arrays, secrets masked. One thread. */
export class ArgumentsWriter {
	readonly #redact: boolean;
	/** Masks lengthen: a flag of 3 bytes and one of its value become 6. */
	readonly #scratch = Memory.allocate(4 * tapioExecLimit.argumentsBytes);
	#viewed: Memory | undefined;
	#view: Buffer = Buffer.alloc(0);

	constructor(redact: boolean) {
		this.#redact = redact;
	}

	/** Appends the `length` bytes at `at`, arguments that end with a NUL each, the last one perhaps without. */
	write(event: EventWriter, memory: Memory, at: number, length: number): ArgumentsResult {
		if (this.#redact && length > 0) {
			const text = this.#latin1(memory, at, length);
			if (mayHoldSecret(text)) {
				const clean = redactArguments(splitArguments(text));
				if (clean !== undefined) return { valid: this.#writeTexts(event, clean), redacted: true };
			}
		}
		return { valid: writeBytes(event, memory, at, at + length), redacted: false };
	}

	#writeTexts(event: EventWriter, list: readonly string[]): boolean {
		let valid = true;
		event.byte(0x5b);
		for (const [index, argument] of list.entries()) {
			if (index > 0) event.byte(0x2c);
			const length = Math.min(argument.length, this.#scratch.length);
			for (let character = 0; character < length; character++) this.#scratch.bytes[character] = argument.charCodeAt(character);
			if (!textString(event, this.#scratch, 0, length)) valid = false;
		}
		event.byte(0x5d);
		return valid;
	}

	/** A byte each becomes a character, so that the text can be turned back into exactly these bytes. */
	#latin1(memory: Memory, at: number, length: number): string {
		if (this.#viewed !== memory) {
			this.#viewed = memory;
			this.#view = Buffer.from(memory.bytes.buffer);
		}
		return this.#view.toString("latin1", at, at + length);
	}
}

/** The arguments in a block of them: a NUL ends one, it does not separate two. */
export function splitArguments(text: string): string[] {
	return (text.endsWith("\0") ? text.slice(0, -1) : text).split("\0");
}

function writeBytes(event: EventWriter, memory: Memory, at: number, end: number): boolean {
	const { bytes } = memory;
	let valid = true;
	event.byte(0x5b);
	for (let start = at; start < end; ) {
		let stop = start;
		while (stop < end && bytes[stop] !== 0) stop++;
		if (start > at) event.byte(0x2c);
		if (!textString(event, memory, start, stop - start)) valid = false;
		start = stop + 1;
	}
	event.byte(0x5d);
	return valid;
}
