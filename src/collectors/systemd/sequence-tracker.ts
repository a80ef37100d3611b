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

/** The number that journald gave an entry, contiguous within one id as long as no filter is set. */
export interface SequencePoint {
	/** 32 hexadecimal digits: `s=` of the cursor. */
	readonly id: string;
	/** `i=` of the cursor. */
	readonly number: number;
}

/** Reads `s=` and `i=` of a cursor (systemd, sd_journal_get_cursor); undefined where it has another form. */
export function parseCursor(cursor: string): SequencePoint | undefined {
	const match = /^s=([0-9a-f]{32});i=([0-9a-f]{1,13});/.exec(cursor);
	if (match === null) return undefined;
	return { id: match[1] ?? "", number: Number.parseInt(match[2] ?? "", 16) };
}

/** Follows the entries' numbers per id and finds what is missing between two. One thread. */
export class SequenceTracker {
	readonly #last = new Map<string, number>();
	#id = "";
	#number = 0;

	/** Takes note of the next entry. `count` is false under a filter, where missing numbers mean nothing. */
	step(id: string, number: number, count: boolean): SequenceStep {
		const last = this.#switchTo(id);
		if (last === number) return again;
		this.#number = number;
		if (!count || last === undefined || number <= last + 1) return inOrder;
		return { repeated: false, lost: number - last - 1 };
	}

	/** The number last seen of an id. */
	last(id: string): number | undefined {
		return id === this.#id ? this.#number : this.#last.get(id);
	}

	#switchTo(id: string): number | undefined {
		if (id === this.#id) return this.#number;
		if (this.#id !== "") {
			this.#last.delete(this.#id);
			this.#last.set(this.#id, this.#number);
			const oldest = this.#last.keys().next().value;
			if (this.#last.size > idsMax && oldest !== undefined) this.#last.delete(oldest);
		}
		this.#id = id;
		return this.#last.get(id);
	}
}

const ascii = new TextDecoder("latin1");

/** `s=` and `i=` of a cursor read from bytes, thousands of times a second: the id's text is made anew only when it changes. One thread. */
export class CursorPoint {
	/** 32 hexadecimal digits. */
	id = "";
	number = 0;
	readonly #idBytes = new Uint8Array(32);

	/** Reads a cursor of the form that {@link parseCursor} takes. */
	read(cursor: Uint8Array): void {
		const known = this.#idBytes;
		let index = 0;
		while (index < 32 && known[index] === cursor[2 + index]) index++;
		if (index < 32) {
			known.set(cursor.subarray(2, 34));
			this.id = ascii.decode(known);
		}
		this.number = 0;
		for (let at = 37; ; at++) {
			const byte = cursor[at] ?? 0;
			const isDigit = byte >= 0x30 && byte <= 0x39;
			if (!isDigit && (byte < 0x61 || byte > 0x66)) return;
			this.number = this.number * 16 + byte - (isDigit ? 48 : 87);
		}
	}
}
