import { assert } from "../base/assert.ts";
import { MiB } from "../base/units.ts";
import type { SpoolFiles } from "../platform/spool-files.ts";
import type { Segment, SegmentTail } from "./open-segments.ts";
import type { Gone, PositionFile } from "./position.ts";
import type { Place } from "./segment.ts";

/** Bytes of a segment, but for a record that is larger alone, where `max_bytes` has room for four of them. */
export const segmentBytesUsual = 8 * MiB;
/** Segments of a spool. Where `max_bytes` has room for more of the usual size they become larger; beyond it the oldest is dropped, as if the spool was full. */
export const segmentsMax = 16384;
/** Files that could not be removed. Beyond it nothing more is stored. */
export const spentMax = 64;

/** Bytes at which a segment has ended, for a spool of `maxBytes`. */
export function segmentBytesFor(maxBytes: number): number {
	return Math.max(Math.min(segmentBytesUsual, Math.floor(maxBytes / 4)), Math.ceil((maxBytes / segmentsMax) * 2));
}

/** What was found of a spool that is opened. */
export interface SpoolBeginning {
	readonly file: PositionFile;
	readonly gone: Gone;
	readonly segments: readonly Segment[];
	readonly tail: SegmentTail;
	/** Paths to be removed. */
	readonly spent: readonly string[];
}

/** A record by its number, and the sequence of its last event. */
export interface Last {
	readonly number: number;
	readonly sequence: number;
}

/** The segments of an open spool in their order, and how far they are gone. No disk makes it throw: what it refuses is told to `note`, and tried again later. */
export class Shelf implements Disposable {
	readonly #files: SpoolFiles;
	readonly #file: PositionFile;
	readonly #segments: Segment[];
	/** Files that are to be removed. */
	readonly #spent: Set<string>;
	readonly #note: (what: string, cause: unknown) => void;
	#gone: Gone;
	#tail: Place;
	/** The position on disk is behind. */
	#isBehind = false;

	constructor(files: SpoolFiles, beginning: SpoolBeginning, note: (what: string, cause: unknown) => void) {
		const { gone, tail } = beginning;
		this.#files = files;
		this.#file = beginning.file;
		this.#segments = [...beginning.segments];
		this.#spent = new Set(beginning.spent);
		this.#note = note;
		this.#gone = gone;
		// What is gone was stored once, even if a loss of power took it from the segments.
		this.#tail = {
			records: Math.max(tail.place.records, gone.records),
			events: Math.max(tail.place.events, gone.events),
		};
	}

	/** Oldest first; the last one may be the writer's. */
	get segments(): readonly Segment[] {
		return this.#segments;
	}

	/** What is acknowledged or dropped. */
	get gone(): Gone {
		return this.#gone;
	}

	/** What was ever stored. */
	get tail(): Place {
		return this.#tail;
	}

	get bytes(): number {
		return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
	}

	/** More files than bearable could not be removed. */
	get isChoked(): boolean {
		return this.#spent.size >= spentMax;
	}

	/** What was stored before the end of a segment. */
	endOf(index: number): Place {
		return this.#segments[index + 1]?.before ?? this.#tail;
	}

	/** Takes in a segment that was begun. Its name is no longer to be removed. */
	add(segment: Segment): void {
		assert((this.#segments.at(-1)?.before.records ?? 0) <= segment.before.records, "Segments stand in their order");
		this.#segments.push(segment);
	}

	/** A file of this name is about to be written. */
	reuse(path: string): void {
		this.#spent.delete(path);
	}

	/** What was begun and holds nothing is to be removed. */
	discard(path: string): void {
		const index = this.#segments.findIndex((segment) => segment.path === path);
		if (index >= 0) this.#segments.splice(index, 1);
		this.#spent.add(path);
	}

	/** A record was stored behind everything. */
	extend(tail: Place): void {
		assert(tail.records === this.#tail.records + 1 && tail.events > this.#tail.events, "A record is stored behind the last one");
		this.#tail = tail;
	}

	/** Everything before `place` is gone. `last` is the last record of it, where known. */
	advance(place: Place, last: Last | undefined): void {
		assert(place.records >= this.#gone.records && place.events >= this.#gone.events, "What is gone stays gone");
		assert(place.records <= this.#tail.records && place.events <= this.#tail.events, "Nothing is gone that was not stored");
		const { number, sequence } = last ?? this.#gone;
		this.#gone = { records: place.records, events: place.events, number, sequence };
		this.#isBehind = true;
	}

	/** Takes the segments off of which everything is gone, but not `kept`, and says where the first one stood: undefined where none was taken off. */
	takeOff(kept: Segment | undefined): boolean {
		let isTaken = false;
		for (let first = this.#segments[0]; first !== undefined && first !== kept; first = this.#segments[0]) {
			if (this.endOf(0).records > this.#gone.records) break;
			this.#segments.shift();
			this.#spent.add(first.path);
			isTaken = true;
		}
		return isTaken;
	}

	/** Writes the position, and removes what is to be removed: behind a sync, so that a file that is removed is known to be gone. */
	settle(): void {
		try {
			if (this.#isBehind || this.#spent.size > 0) this.#file.save(this.#gone);
			this.#isBehind = false;
			if (this.#spent.size > 0) this.#file.sync();
		} catch (cause) {
			this.#isBehind = true;
			this.#note("Write the position of the spool", cause);
			return;
		}
		for (const path of [...this.#spent]) {
			try {
				this.#files.remove(path);
				this.#spent.delete(path);
			} catch (cause) {
				this.#note(`Remove ${path}`, cause);
			}
		}
	}

	[Symbol.dispose](): void {
		this.#file[Symbol.dispose]();
	}
}
