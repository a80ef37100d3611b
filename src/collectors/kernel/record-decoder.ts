import type { EventWriter } from "../../event/event-writer.ts";
import type { Memory } from "../../platform/ffi/memory.ts";
import type { EventHead } from "./event-head.ts";
import type { NumberWriter } from "./number-writer.ts";
import type { TaskWriter } from "./task-fields.ts";

/** What of the configuration matters to decoders. */
export interface DecoderOptions {
	readonly redactArguments: boolean;
}

/** What decoders share. */
export interface DecoderTools extends DecoderOptions {
	readonly numbers: NumberWriter;
	readonly task: TaskWriter;
}

/** Turns one kind of record into an event. Data worker's thread. */
export interface RecordDecoder {
	/** Writes the event of the record of `length` bytes at `offset`, from `begin` to `end`, and returns what `end` returned. */
	decode(memory: Memory, offset: number, length: number, event: EventWriter): boolean;
}

/** Makes the decoder of one kind of record. */
export type MakeRecordDecoder = (head: EventHead, tools: DecoderTools) => RecordDecoder;
