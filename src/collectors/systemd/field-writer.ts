import type { JsonWriter } from "../../event/json-writer.ts";
import { isSkippable, type Journal } from "../../platform/ffi/libsystemd.ts";
import type { Memory } from "../../platform/ffi/memory.ts";
import { FragmentCache } from "./fragment-cache.ts";
import { writeValue } from "./journal-value.ts";
import { KeyTable, keysMax, special } from "./key-table.ts";

/** What became of the fields of an entry. `slow`: they need the way of slow-entry.ts. */
export type FieldsResult = "written" | "slow" | "unreadable";

/**
 * Takes the place of a special field: its value, quotes included, stands or will stand at `start` to `end` of the writer's memory, `first` is its first byte behind
 * the quote, and `place` names it as long as {@link FieldWriter.generation} stays, or is negative.
 */
export type NoteSpecial = (kind: number, start: number, end: number, first: number, place: number) => void;

/** Writes the fields of a journal's entries. */
export interface FieldWriter {
	/** Writes the current entry's fields behind each other, `,"NAME":value`, at the position of the output. What was written counts only where they are "written". */
	write(): FieldsResult;
	/** Grows whenever places of special fields lose their meaning. */
	generation(): number;
}

/** A value that stands in no cache. */
export const noPlace = -2;

const quoteBytes = 1;

/** Tells whether a name comes twice in one entry. */
class SeenNames {
	/** The number of the entry that a name was seen in last, by the name's number. */
	readonly #seen = new Int32Array(keysMax);
	#entry = 0;

	/** The next entry begins. */
	next(): void {
		this.#entry = (this.#entry + 1) | 0;
	}

	/** True where the entry had this name before. */
	repeats(key: number): boolean {
		if (this.#seen[key] === this.#entry) return true;
		this.#seen[key] = this.#entry;
		return false;
	}
}

/** What the functions below share: made once per journal, and never replaced. */
interface Parts {
	readonly journal: Journal;
	readonly out: JsonWriter;
	/** Room for the longest field that is not slow. */
	readonly staging: Memory;
	readonly note: NoteSpecial;
	readonly cache: FragmentCache;
	readonly keys: KeyTable;
	readonly names: SeenNames;
}

/**
 * Writes the fields of one journal's entries by a cache of texts. `staging` has room for the longest field that is not slow.
 *
 * Functions over constants instead of a class: what they reach is known to the compiler when it translates the loop, where members of an object are loaded and
 * checked anew behind every call into C, and a field has two of those. That is a twentieth of the whole cost of an entry.
 */
export function createFieldWriter(journal: Journal, out: JsonWriter, staging: Memory, note: NoteSpecial): FieldWriter {
	const cache = new FragmentCache();
	const keys = new KeyTable();
	const names = new SeenNames();
	const parts = { journal, out, staging, note, cache, keys, names };
	const loop = createLoop(parts, createMiss(parts));
	return {
		write() {
			if (keys.full) {
				keys.clear();
				cache.clear();
			}
			names.next();
			journal.restartFields();
			const result = loop();
			if (result === 0 && !out.overflow) return "written";
			return isSkippable(result) ? "unreadable" : "slow";
		},
		generation: () => cache.generation,
	};
}

/** Errors of libsystemd are negative; this is none of them. */
const needsSlowWay = 1;

/**
 * Writes all fields: 0, {@link needsSlowWay}, or the error that ended them. `runStart` to `runEnd` are texts that stand side by side and are copied in
 * one piece.
 */
function createLoop({ journal, out, note, cache, keys, names }: Parts, miss: () => boolean): () => number {
	const { fragments } = cache;
	return () => {
		let runStart = 0;
		let runEnd = 0;
		for (;;) {
			const result = journal.nextField();
			if (result <= 0) {
				if (runEnd > runStart) out.raw(fragments, runStart, runEnd - runStart);
				return result;
			}
			const slot = cache.find(journal);
			if (slot === -1) {
				if (runEnd > runStart) out.raw(fragments, runStart, runEnd - runStart);
				runStart = 0;
				runEnd = 0;
				if (!miss()) return needsSlowWay;
				continue;
			}
			const name = cache.nameAt(slot);
			const key = name < 0 ? -1 - name : name;
			if (names.repeats(key)) return needsSlowWay;
			const kind = keys.specialOf(key);
			if (kind === special.boot) continue;
			const start = cache.fragmentAt(slot);
			const length = cache.fragmentLengthAt(slot);
			if (start !== runEnd) {
				if (runEnd > runStart) out.raw(fragments, runStart, runEnd - runStart);
				runStart = start;
			}
			runEnd = start + length;
			if (kind !== special.none && name >= 0) {
				const end = out.position + runEnd - runStart;
				const text = keys.textLength(key);
				note(kind, end - length + text, end, fragments.bytes[start + text + quoteBytes] ?? 0, start);
			}
		}
	};
}

/** Writes a field that the cache does not hold; false where the entry needs the slow way. */
function createMiss({ journal, out, staging, note, cache, keys, names }: Parts): () => boolean {
	return () => {
		const length = journal.fieldLength;
		if (length > staging.length) return false;
		journal.copyField(staging, 0, length);
		const key = keys.findField(staging, length);
		if (key === -1 || names.repeats(key)) return false;
		const kind = keys.specialOf(key);
		const worth = cache.isWorthStoring(journal);
		if (kind === special.boot && !worth) return true;
		const start = out.position;
		const name = keys.nameLength(key);
		const textLength = keys.textLength(key);
		out.raw(keys.text, keys.textOffset(key), textLength);
		const isString = writeValue(out, staging, name + 1, length - name - 1);
		if (out.overflow) return false;
		if (worth) cache.store(journal, staging, 0, out.memory, start, out.position - start, isString ? key : -1 - key);
		if (kind === special.boot) out.position = start;
		else if (kind !== special.none && isString) {
			note(kind, start + textLength, out.position, out.memory.bytes[start + textLength + quoteBytes] ?? 0, noPlace);
		}
		return true;
	};
}
