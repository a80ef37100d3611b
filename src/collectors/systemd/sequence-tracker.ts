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
	/** Drawn from the end of the cursor, where the sum over the entry's content stands: tells two entries apart to which a damaged file gives one number. */
	readonly check: number;
}

/** Reads `s=` and `i=` of a cursor (systemd, sd_journal_get_cursor); undefined where it has another form. */
export function parseCursor(cursor: string): SequencePoint | undefined {
	const match = /^s=([0-9a-f]{32});i=([0-9a-f]{1,13});/.exec(cursor);
	if (match === null) return undefined;
	const point = new CursorPoint();
	point.read(new TextEncoder().encode(cursor), cursor.length);
	return point;
}

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

/** Bytes at the end of a cursor that `check` is drawn from: all sixteen digits of the sum over the entry, because damage may lie in any of them. */
const checkBytes = 16;
const ascii = new TextDecoder("latin1");

/** `s=` and `i=` of a cursor read from bytes, thousands of times a second: the id's text is made anew only when it changes. One thread. */
export class CursorPoint implements SequencePoint {
	/** 32 hexadecimal digits. */
	id = "";
	number = 0;
	check = 0;
	readonly #idBytes = new Uint8Array(32);

	/** Reads a cursor of `length` bytes, of the form that {@link parseCursor} takes. */
	read(cursor: Uint8Array, length: number): void {
		const known = this.#idBytes;
		let index = 0;
		while (index < 32 && known[index] === cursor[2 + index]) index++;
		if (index < 32) {
			known.set(cursor.subarray(2, 34));
			this.id = ascii.decode(known);
		}
		let check = 0;
		for (let at = length - checkBytes; at < length; at++) check = (Math.imul(check, 31) + (cursor[at] ?? 0)) | 0;
		this.check = check;
		let number = 0;
		for (let digit = 37; ; digit++) {
			const byte = cursor[digit] ?? 0;
			const isDigit = byte >= 0x30 && byte <= 0x39;
			if (!isDigit && (byte < 0x61 || byte > 0x66)) break;
			number = number * 16 + byte - (isDigit ? 48 : 87);
		}
		this.number = number;
	}
}
