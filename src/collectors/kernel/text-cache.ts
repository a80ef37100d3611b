import { assert } from "../../base/assert.ts";
import type { JsonWriter } from "../../event/json-writer.ts";
import { Memory } from "../../platform/ffi/memory.ts";

/** Texts remembered. A power of two; one more pushes out the one in its place. */
const slots = 128;
/** Bytes of a remembered text at most; longer ones are written anew each time. */
const textBytesMax = 768;

/**
 * Remembers what was written for some words of a record, so that the same words are copied instead of formatted: user, cgroup and namespaces are the
 * same for most processes of a node. Every hit is compared word by word. One thread.
 */
export class TextCache {
	readonly #words: number;
	readonly #keys: Uint32Array;
	readonly #texts = Memory.allocate(slots * textBytesMax);
	readonly #lengths = new Int32Array(slots);

	/** `words`: how many words of the record decide about the text. */
	constructor(words: number) {
		assert(words > 0 && words <= 64, "A key is a few words");
		this.#words = words;
		this.#keys = new Uint32Array(slots * words);
	}

	/** Appends the text of the words at byte `at` of `memory`: a remembered one, or what `write` appends. */
	write(out: JsonWriter, memory: Memory, at: number, write: () => void): void {
		const { words } = memory;
		const first = at >>> 2;
		let hash = 0;
		for (let index = 0; index < this.#words; index++) hash = (Math.imul(hash, 31) + (words[first + index] ?? 0)) | 0;
		const slot = (hash ^ (hash >>> 16)) & (slots - 1);
		const length = this.#lengths[slot] ?? 0;
		if (length > 0 && this.#matches(slot, words, first)) {
			out.raw(this.#texts, slot * textBytesMax, length);
			return;
		}
		const start = out.position;
		write();
		if (!out.overflow) this.#remember(slot, words, first, out, start);
	}

	#matches(slot: number, words: Uint32Array, first: number): boolean {
		const key = slot * this.#words;
		for (let index = 0; index < this.#words; index++) {
			if (this.#keys[key + index] !== words[first + index]) return false;
		}
		return true;
	}

	#remember(slot: number, words: Uint32Array, first: number, out: JsonWriter, start: number): void {
		const length = out.position - start;
		if (length > textBytesMax) return;
		for (let index = 0; index < this.#words; index++) this.#keys[slot * this.#words + index] = words[first + index] ?? 0;
		this.#texts.copy(slot * textBytesMax, out.memory, start, length);
		this.#lengths[slot] = length;
	}
}
