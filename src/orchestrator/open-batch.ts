import { assert } from "../base/assert.ts";
import type { EventWriter } from "../event/event-writer.ts";
import { Memory } from "../platform/ffi/memory.ts";
import { batchHeadroom, batchTailroom } from "../sinks/sink.ts";

const openBracket = 0x5b;
const comma = 0x2c;
const closeBracket = 0x5d;

/** A batch while it fills: a JSON array of events in a memory of fixed size, with room before and behind it for a sink. One thread. */
export class OpenBatch {
	readonly memory: Memory;
	/** Events in it. */
	count = 0;
	/** Of these, how many were cut to fit. */
	truncated = 0;
	/** Events before the last one that no message can carry, since the batch before. */
	tooLarge = 0;
	/** Where the next comma or the bracket goes, from the start of the memory. */
	#end = batchHeadroom;
	readonly #bytesMax: number;

	constructor(bytesMax: number) {
		this.memory = Memory.allocate(batchHeadroom + bytesMax + batchTailroom);
		this.memory.bytes[batchHeadroom] = openBracket;
		this.#bytesMax = bytesMax;
	}

	/** Lets the writer append an event behind the last, within `room` bytes of the whole batch. */
	attach(event: EventWriter, room: number): void {
		const limit = batchHeadroom + Math.max(1, Math.min(room, this.#bytesMax)) - 1;
		const start = this.count === 0 ? batchHeadroom + 1 : this.#end + 1;
		event.attach(this.memory, Math.min(start, limit), limit);
	}

	/** The event written since `attach` is part of the batch now. */
	taken(event: EventWriter): void {
		assert(event.memory === this.memory, "The writer wrote into this batch");
		if (this.count > 0) this.memory.bytes[this.#end] = comma;
		this.#end = event.position;
		this.count++;
	}

	/** Writes a finished event at the writer's place. */
	put(event: EventWriter, text: Uint8Array): void {
		assert(event.position + text.length <= event.limit, "The text was cut to fit");
		this.memory.bytes.set(text, event.position);
		event.position += text.length;
	}

	/** Ends the array; its length in bytes. */
	close(): number {
		assert(this.count > 0, "A batch is never empty");
		this.memory.bytes[this.#end] = closeBracket;
		return this.#end + 1 - batchHeadroom;
	}

	/** Empties it for the next use. */
	reset(): void {
		this.count = 0;
		this.truncated = 0;
		this.tooLarge = 0;
		this.#end = batchHeadroom;
	}
}
