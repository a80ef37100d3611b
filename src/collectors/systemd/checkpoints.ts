import { cursorBytesMax, Journal } from "../../platform/ffi/libsystemd.ts";
import { Memory } from "../../platform/ffi/memory.ts";

/** Milliseconds at the end of the journal between two checkpoints. */
const checkpointInterval = 60_000;

/**
 * Where a filter lets nothing through, or only the agent's own unit writes, no event carries the position on, and vacuum would overtake it: now and then a
 * cursor is offered as a position by itself. Counts polls instead of reading a clock. One thread.
 */
export class Checkpoints {
	readonly #path: string;
	readonly #isFiltered: boolean;
	readonly #pollsBetween: number;
	readonly #memory = Memory.allocate(cursorBytesMax);
	#polls = 0;
	#last = "";

	constructor({ path, poll_interval }: { readonly path: string; readonly poll_interval: number }, isFiltered: boolean) {
		this.#path = path;
		this.#isFiltered = isFiltered;
		this.#pollsBetween = Math.ceil(checkpointInterval / poll_interval);
	}

	/**
	 * Call it at the end of what the filter lets through; `lastRead` gives the cursor of the last entry read, "" for none. A cursor where a checkpoint is due and
	 * the journal moved on: everything before it that matches must be read first.
	 */
	poll(lastRead: () => string): string | undefined {
		if (++this.#polls < this.#pollsBetween) return undefined;
		this.#polls = 0;
		return this.next(lastRead);
	}

	/** As {@link poll}, whether one is due or not. */
	next(lastRead: () => string): string | undefined {
		const cursor = this.#isFiltered ? this.#tail() : lastRead();
		if (cursor === undefined || cursor === "" || cursor === this.#last) return undefined;
		this.#last = cursor;
		return cursor;
	}

	#tail(): string | undefined {
		using journal = new Journal(this.#path);
		journal.seekTail();
		if (journal.previous() <= 0) return undefined;
		const length = journal.cursor(this.#memory, 0);
		return length <= 0 ? undefined : String.fromCharCode(...this.#memory.bytes.subarray(0, length));
	}
}
