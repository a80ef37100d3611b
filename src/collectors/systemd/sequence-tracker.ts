import type { SequencePoint } from "./cursor-point.ts";

/** Sequence-number ids remembered: one per machine whose journal is read. Beyond it the one seen longest ago is forgotten. */
const idsMax = 256;

/** What the place of an entry in its journal says about the entries before it. */
export interface SequenceStep {
	/** The same entry as the last one: at the end of one file and the start of the next. */
	readonly repeated: boolean;
	/** Entries between the last one and this one that are gone. */
	readonly lost: number;
}

const inOrder: SequenceStep = { repeated: false, lost: 0 };
const again: SequenceStep = { repeated: true, lost: 0 };

/** Follows the entries' numbers per id and finds what is missing between two. One thread. */
export class SequenceTracker {
	readonly #last = new Map<string, Omit<SequencePoint, "id">>();
	#id = "";
	#number = 0;
	#check = 0;

	/** Takes note of the next entry. `count` is false under a filter, where missing numbers mean nothing. */
	step(point: SequencePoint, count: boolean): SequenceStep {
		const { id, number, check } = point;
		const isKnown = id === this.#id || this.#switchTo(id);
		const last = this.#number;
		if (isKnown && last === number && this.#check === check) return again;
		this.#number = number;
		this.#check = check;
		if (!count || !isKnown || number <= last + 1) return inOrder;
		return { repeated: false, lost: number - last - 1 };
	}

	/** True where an entry of this id was seen. */
	knows(id: string): boolean {
		return id === this.#id || this.#last.has(id);
	}

	/** False where the id is new. */
	#switchTo(id: string): boolean {
		if (this.#id !== "") {
			this.#last.delete(this.#id);
			this.#last.set(this.#id, { number: this.#number, check: this.#check });
			const oldest = this.#last.keys().next().value;
			if (this.#last.size > idsMax && oldest !== undefined) this.#last.delete(oldest);
		}
		const known = this.#last.get(id);
		this.#id = id;
		this.#number = known?.number ?? 0;
		this.#check = known?.check ?? 0;
		return known !== undefined;
	}
}
