import { assert } from "../../base/assert.ts";
import type { EventWriter } from "../../event/event-writer.ts";
import type { Memory } from "../../platform/ffi/memory.ts";

/** Numbers of one event at most, each counted as often as it is written. */
export const placesMax = 32;

/** Writes numbers of records, and remembers where each was written, so that the next event of the same shape can overwrite it there. One thread. */
export class NumberWriter {
	/** Numbers written since `begin`. */
	count = 0;
	/** For each its offset in the record. */
	readonly sources = new Int32Array(placesMax);
	/** For each where its digits begin in the memory of the event. */
	readonly positions = new Int32Array(placesMax);

	/** Forgets the event before. */
	begin(): void {
		this.count = 0;
	}

	/** Appends the unsigned 32-bit number at byte `at` of the record at `offset`. */
	number(event: EventWriter, memory: Memory, offset: number, at: number): void {
		this.note(event, at);
		event.decimal(memory.words[(offset + at) >>> 2] ?? 0);
	}

	/** Appends the unsigned 64-bit number at byte `at` of the record at `offset`. */
	number64(event: EventWriter, memory: Memory, offset: number, at: number): void {
		const word = (offset + at) >>> 2;
		this.note(event, at);
		event.decimal64(memory.words[word] ?? 0, memory.words[word + 1] ?? 0);
	}

	/** As {@link number64}, as a string: a reader of JSON may take a number for a double. */
	string64(event: EventWriter, memory: Memory, offset: number, at: number): void {
		event.byte(quote);
		this.number64(event, memory, offset, at);
		event.byte(quote);
	}

	/** Remembers that the number at byte `at` of the record is appended next. */
	note(event: EventWriter, at: number): void {
		const index = this.count++;
		assert(index < placesMax, "An event has few numbers");
		this.sources[index] = at;
		this.positions[index] = event.position;
	}
}

const quote = 0x22;
