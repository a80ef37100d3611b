import { cursorBytesMax, Journal } from "../../platform/ffi/libsystemd.ts";
import { Memory } from "../../platform/ffi/memory.ts";

/** Polls at the end of the journal between two checkpoints: about a minute at the usual interval. */
const pollsBetween = 3000;

/**
 * Under a filter the position would stand still while nothing matches, and vacuum would overtake it: now and then the tail of the
 * unfiltered journal is offered as a position. One thread.
 */
export class Checkpoints {
	readonly #path: string;
	readonly #memory = Memory.allocate(cursorBytesMax);
	#polls = 0;
	#last = "";

	constructor(path: string) {
		this.#path = path;
	}

	/** Call it at the filtered end. A cursor where a checkpoint is due and the journal moved on: everything before it that matches must be read first. */
	poll(): string | undefined {
		if (++this.#polls < pollsBetween) return undefined;
		this.#polls = 0;
		using journal = new Journal(this.#path);
		journal.seekTail();
		if (journal.previous() <= 0) return undefined;
		const length = journal.cursor(this.#memory, 0);
		if (length <= 0) return undefined;
		const cursor = String.fromCharCode(...this.#memory.bytes.subarray(0, length));
		if (cursor === this.#last) return undefined;
		this.#last = cursor;
		return cursor;
	}
}
