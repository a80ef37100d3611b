import { assert } from "../base/assert.ts";
import type { Decoder } from "../collectors/collector.ts";
import { Memory } from "../platform/ffi/memory.ts";
import type { RingReader } from "../ring/reader.ts";

/** Longest cursor that is remembered; see the collectors' own limits. */
const cursorBytesMax = 512;

/**
 * A cursor on its way from a ring into a batch. Of every record only the place is noted; the bytes are copied before the ring takes its records back, and read
 * once per batch. Data worker's thread.
 */
export class Cursor {
	readonly #memory = Memory.allocate(cursorBytesMax);
	#length = 0;
	/** Where the cursor still lies in the ring. */
	#source: Memory | undefined;
	#offset = 0;

	/** Takes the cursor of the record last decoded; leaves things as they are where it has none. Call {@link keep} before the record is released. */
	note(record: RingReader, { cursorOffset, cursorLength }: Decoder): void {
		if (cursorLength === 0) return;
		assert(cursorLength <= cursorBytesMax, "A cursor fits");
		this.#source = record.memory;
		this.#offset = cursorOffset;
		this.#length = cursorLength;
	}

	/** Copies the bytes, if they were not yet. */
	keep(): void {
		if (this.#source === undefined) return;
		this.#memory.copy(0, this.#source, this.#offset, this.#length);
		this.#source = undefined;
	}

	/** Plain ASCII; "" for none. */
	set(text: string): void {
		assert(text.length <= cursorBytesMax, "A cursor fits");
		this.#source = undefined;
		this.#length = new TextEncoder().encodeInto(text, this.#memory.bytes).written;
	}

	/** Undefined where there is none. */
	get text(): string | undefined {
		this.keep();
		return this.#length === 0 ? undefined : String.fromCharCode(...this.#memory.bytes.subarray(0, this.#length));
	}
}
