import type { Journal } from "../../platform/ffi/libsystemd.ts";
import { Memory } from "../../platform/ffi/memory.ts";

/** Fields remembered at once. A journal file's repeated values number some hundreds within one mapped window. */
const slotsMax = 8192;
/** Bytes of remembered fields and fragments. Beyond it the cache starts afresh. */
const arenaBytes = 1 << 20;
/** Longer fields are not worth remembering: they rarely repeat. */
const fieldBytesMax = 1024;

/**
 * Remembers the JSON text of journal fields by the place where libsystemd found them: the journal stores a repeated value once, so
 * nine of ten fields are hits. A hit is verified by comparing the bytes, because a place is reused when another window is mapped.
 * A field is taken at its second sight; values that never repeat pay only the look-up. One thread.
 */
export class FragmentCache {
	/** Sources and fragments. */
	readonly arena = Memory.allocate(arenaBytes);
	readonly #keys = new Uint32Array(slotsMax);
	readonly #seenOnce = new Uint32Array(slotsMax);
	readonly #lengths = new Int32Array(slotsMax);
	readonly #sources = new Int32Array(slotsMax);
	readonly #fragments = new Int32Array(slotsMax);
	readonly #fragmentLengths = new Int32Array(slotsMax);
	readonly #names = new Int16Array(slotsMax);
	#used = 0;
	#slot = 0;

	/** Looks the journal's current field up: true on a hit, which the three getters then describe. */
	find(journal: Journal): boolean {
		const key = journal.fieldKey;
		const slot = ((key >>> 3) ^ (key >>> 16)) & (slotsMax - 1);
		this.#slot = slot;
		return this.#keys[slot] === key && this.#lengths[slot] === journal.fieldLength && journal.fieldEquals(this.arena, this.#sources[slot] ?? 0);
	}

	/** Where the hit's JSON text starts in the arena: `,"NAME":value`. */
	get fragment(): number {
		return this.#fragments[this.#slot] ?? 0;
	}
	/** Its length. */
	get fragmentLength(): number {
		return this.#fragmentLengths[this.#slot] ?? 0;
	}
	/** Number of the field's name in the KeyTable; negative (-1 - number) where the value is no string. */
	get name(): number {
		return this.#names[this.#slot] ?? 0;
	}

	/** After a miss: true at the second sight of this place, when {@link store} is worth its copy. */
	isWorthStoring(journal: Journal): boolean {
		const key = journal.fieldKey;
		if (this.#seenOnce[this.#slot] === key) return journal.fieldLength <= fieldBytesMax;
		this.#seenOnce[this.#slot] = key;
		return false;
	}

	/** Remembers the current field, whose bytes stand in `source` and whose JSON text in `text`. */
	store(journal: Journal, source: Memory, sourceOffset: number, text: Memory, textOffset: number, textLength: number, name: number): void {
		const length = journal.fieldLength;
		if (this.#used + length + textLength > arenaBytes) this.clear();
		const slot = this.#slot;
		this.arena.copy(this.#used, source, sourceOffset, length);
		this.arena.copy(this.#used + length, text, textOffset, textLength);
		this.#keys[slot] = journal.fieldKey;
		this.#lengths[slot] = length;
		this.#sources[slot] = this.#used;
		this.#fragments[slot] = this.#used + length;
		this.#fragmentLengths[slot] = textLength;
		this.#names[slot] = name;
		this.#used += length + textLength;
	}

	/** Forgets everything. */
	clear(): void {
		this.#keys.fill(0);
		this.#seenOnce.fill(0);
		this.#lengths.fill(-1);
		this.#used = 0;
	}
}
