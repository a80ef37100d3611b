import { assert } from "../base/assert.ts";
import type { Decoder } from "../collectors/collector.ts";
import { Memory } from "../platform/ffi/memory.ts";
import type { RingReader } from "../ring/reader.ts";

/** Longest cursor that is remembered; see the collectors' own limits. */
const cursorBytesMax = 512;

/** A cursor on its way from a ring into a batch: copied for every record, read once per batch. Data worker's thread. */
export class Cursor {
	readonly #memory = Memory.allocate(cursorBytesMax);
	#length = 0;

	/** Takes the cursor of the record last decoded; leaves things as they are where it has none. */
	copy(record: RingReader, { cursorOffset, cursorLength }: Decoder): void {
		if (cursorLength === 0) return;
		assert(cursorLength <= cursorBytesMax, "A cursor fits");
		this.#memory.copy(0, record.memory, cursorOffset, cursorLength);
		this.#length = cursorLength;
	}

	/** Plain ASCII; "" for none. */
	set(text: string): void {
		assert(text.length <= cursorBytesMax, "A cursor fits");
		this.#length = new TextEncoder().encodeInto(text, this.#memory.bytes).written;
	}

	/** Undefined where there is none. */
	get text(): string | undefined {
		return this.#length === 0 ? undefined : String.fromCharCode(...this.#memory.bytes.subarray(0, this.#length));
	}
}
