import { Memory } from "../../platform/ffi/memory.ts";
import { noPlace } from "./field-writer.ts";

/** Tails remembered at once: a node has some dozens of units, most with a few priorities. */
const slotsMax = 1024;
/** Bytes of remembered tails. Beyond it the cache starts afresh. */
const arenaBytes = 1 << 16;
const slotWords = 4;
const slotUnit = 0;
const slotHost = 1;
const slotOffset = 2;
const slotLength = 3;

/** Of a value that the entry does not have. */
export const valueAbsent = -1;

/**
 * Remembers what follows the raw entry in an event: it depends on unit, host name and priority alone. The values are known by their places in the fragment
 * cache, and hold as long as that is not cleared. One thread.
 */
export class TailCache {
	/** The tails. */
	readonly memory = Memory.allocate(arenaBytes);
	/** Where the tail stands that {@link find} found, and its length. */
	offset = 0;
	length = 0;
	readonly #slots = new Int32Array(slotsMax * slotWords);
	#used = 0;
	#at = 0;

	/** Looks a tail up; true where it is known. `unit` and `host` are places, or {@link valueAbsent}, `priority` is -1 to 7. */
	find(unit: number, host: number, priority: number): boolean {
		if (unit === noPlace || host === noPlace) return false;
		const key = keyOf(unit, priority);
		const mixed = Math.imul(key ^ Math.imul(host, 0x85ebca6b), 0x9e3779b1);
		const at = ((mixed >>> 16) & (slotsMax - 1)) * slotWords;
		this.#at = at;
		const slots = this.#slots;
		if (slots[at + slotUnit] !== key || slots[at + slotHost] !== host) return false;
		this.offset = slots[at + slotOffset] ?? 0;
		this.length = slots[at + slotLength] ?? 0;
		return true;
	}

	/** Remembers the tail that was looked for last, and not found. */
	store(unit: number, host: number, priority: number, source: Memory, offset: number, length: number): void {
		if (unit === noPlace || host === noPlace || length > arenaBytes) return;
		if (this.#used + length > arenaBytes) this.clear();
		this.memory.copy(this.#used, source, offset, length);
		const slots = this.#slots;
		const at = this.#at;
		slots[at + slotUnit] = keyOf(unit, priority);
		slots[at + slotHost] = host;
		slots[at + slotOffset] = this.#used;
		slots[at + slotLength] = length;
		this.#used += length;
	}

	/** Forgets everything. */
	clear(): void {
		this.#slots.fill(0);
		this.#used = 0;
	}
}

/** One number for both, 1 and more: an empty slot is 0. */
function keyOf(unit: number, priority: number): number {
	return Math.imul(unit + 1, 16) + priority + 2;
}
