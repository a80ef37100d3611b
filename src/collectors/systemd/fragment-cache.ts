import type { Journal } from "../../platform/ffi/libsystemd.ts";
import { Memory } from "../../platform/ffi/memory.ts";

/** Fields remembered at once. A journal file repeats some hundreds within one mapped window; with half the slots one field of a hundred more is missed, because places share a slot. */
const slotsMax = 4096;
/** Words of a slot: the key, and what follows. */
const slotWords = 8;
const slotLength = 1;
const slotSource = 2;
const slotFragment = 3;
const slotFragmentLength = 4;
const slotName = 5;
const slotSeen = 6;
/** Bytes of remembered fields, and of their fragments. Beyond either the cache starts afresh. */
const arenaBytes = 1 << 18;
/** Longer fields are not worth remembering: they rarely repeat. */
const fieldBytesMax = 1024;

/**
 * Remembers the JSON text of journal fields by the place where libsystemd found them: the journal stores a repeated value once, so
 * nine of ten fields are hits. A hit is verified by comparing the bytes, because a place is reused when another window is mapped.
 * A field is taken at its second sight; values that never repeat pay only the look-up. One thread.
 */
export class FragmentCache {
	/**
	 * The fragments, apart from the sources: those of the fields that an entry brought first stand side by side, as they do in most of the entries that
	 * follow, and are copied from here in one piece.
	 */
	readonly fragments = Memory.allocate(arenaBytes);
	readonly #sources = Memory.allocate(arenaBytes);
	// One slot is half a cache line: a hit touches that, the source and the fragment, and leaves the rest of the cache to libsystemd.
	readonly #slots = Memory.allocate(slotsMax * slotWords * 4).signed;
	/** Grows whenever everything is forgotten: places of fragments mean something else from then on. */
	generation = 0;
	#sourcesUsed = 0;
	#fragmentsUsed = 0;
	#at = 0;

	/** Looks the journal's current field up: the slot of the hit, for the three methods below, or -1. */
	find(journal: Journal): number {
		const key = journal.fieldKey | 0;
		const at = (((key >>> 3) ^ (key >>> 16)) & (slotsMax - 1)) * slotWords;
		const slots = this.#slots;
		this.#at = at;
		if (slots[at] !== key || slots[at + slotLength] !== journal.fieldLength) return -1;
		return journal.fieldEquals(this.#sources, slots[at + slotSource] ?? 0) ? at : -1;
	}

	/** Where the JSON text of a hit starts in {@link fragments}: `,"NAME":value`. */
	fragmentAt(slot: number): number {
		return this.#slots[slot + slotFragment] ?? 0;
	}

	/** Its length. */
	fragmentLengthAt(slot: number): number {
		return this.#slots[slot + slotFragmentLength] ?? 0;
	}

	/** Number of the field's name in the KeyTable; negative (-1 - number) where the value is no string. */
	nameAt(slot: number): number {
		return this.#slots[slot + slotName] ?? 0;
	}

	/** After a miss: true at the second sight of this place, when {@link store} is worth its copy. */
	isWorthStoring(journal: Journal): boolean {
		const key = journal.fieldKey | 0;
		if (this.#slots[this.#at + slotSeen] === key) return journal.fieldLength <= fieldBytesMax;
		this.#slots[this.#at + slotSeen] = key;
		return false;
	}

	/** Remembers the current field, whose bytes stand in `source` and whose JSON text in `text`. */
	store(journal: Journal, source: Memory, sourceOffset: number, text: Memory, textOffset: number, textLength: number, name: number): void {
		const length = journal.fieldLength;
		if (this.#sourcesUsed + length > arenaBytes || this.#fragmentsUsed + textLength > arenaBytes) this.clear();
		const slots = this.#slots;
		const at = this.#at;
		this.#sources.copy(this.#sourcesUsed, source, sourceOffset, length);
		this.fragments.copy(this.#fragmentsUsed, text, textOffset, textLength);
		slots[at] = journal.fieldKey | 0;
		slots[at + slotLength] = length;
		slots[at + slotSource] = this.#sourcesUsed;
		slots[at + slotFragment] = this.#fragmentsUsed;
		slots[at + slotFragmentLength] = textLength;
		slots[at + slotName] = name;
		this.#sourcesUsed += length;
		this.#fragmentsUsed += textLength;
	}

	/** Forgets everything. */
	clear(): void {
		this.generation++;
		this.#slots.fill(0);
		this.#sourcesUsed = 0;
		this.#fragmentsUsed = 0;
	}
}
