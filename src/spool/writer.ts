import { assert } from "../base/assert.ts";
import type { SpoolFile, SpoolFiles } from "../platform/spool-files.ts";
import type { Segment } from "./open-segments.ts";
import { writeAll } from "./scan.ts";

/**
 * The segment that is appended to, if there is one. What fails throws what the system says, and leaves either the segment as it was before, or none: then the next
 * record begins a new one.
 */
export class SegmentWriter implements Disposable {
	readonly #files: SpoolFiles;
	readonly #folder: string;
	#file: SpoolFile | undefined;
	#segment: Segment | undefined;
	/** Something was written since the last sync. */
	#isDirty = false;
	/** The name of the segment may not survive a loss of power. */
	#isUnnamed = false;

	constructor(files: SpoolFiles, folder: string) {
		this.#files = files;
		this.#folder = folder;
	}

	get segment(): Segment | undefined {
		return this.#segment;
	}

	get isDirty(): boolean {
		return this.#isDirty;
	}

	/** Goes on with a segment that was found, cut to its whole records. */
	resume(segment: Segment): void {
		assert(this.#file === undefined, "One segment is written at a time");
		const file = this.#files.open(segment.path);
		try {
			file.truncate(segment.bytes);
		} catch (error) {
			file.close();
			throw error;
		}
		this.#take(file, segment);
	}

	/** Begins a segment with its header, in the place of whatever has its name. */
	begin(segment: Segment, header: Uint8Array): void {
		assert(this.#file === undefined, "One segment is written at a time");
		assert(segment.bytes === header.length, "A new segment holds its header");
		const file = this.#files.open(segment.path);
		try {
			file.truncate(0);
			writeAll(file, header, 0);
		} catch (error) {
			file.close();
			throw error;
		}
		this.#take(file, segment);
	}

	#take(file: SpoolFile, segment: Segment): void {
		this.#file = file;
		this.#segment = segment;
		this.#isDirty = true;
		this.#isUnnamed = true;
	}

	/** Appends the parts of a record, and syncs where it must be. Where either fails, they are cut off again. */
	append(parts: readonly Uint8Array[], withSync: boolean): void {
		const [file, segment] = [this.#file, this.#segment];
		assert(file !== undefined && segment !== undefined, "A segment is open");
		let end = segment.bytes;
		this.#isDirty = true;
		try {
			for (const part of parts) {
				writeAll(file, part, end);
				end += part.length;
			}
		} catch (error) {
			this.#cut(file, segment.bytes);
			throw error;
		}
		try {
			if (withSync) this.#flush();
		} catch (error) {
			this.#cut(file, segment.bytes);
			// What a failed sync left in the cache may be forgotten without a word: nothing more goes into this file.
			this.#drop();
			throw error;
		}
		segment.bytes = end;
	}

	#cut(file: SpoolFile, length: number): void {
		try {
			file.truncate(length);
		} catch {
			// The file is left as it is: the header of the next segment says that what stands there does not count.
			this.#drop();
		}
	}

	/** Makes what was written survive a loss of power. Where that fails, the segment has ended. Milliseconds. */
	sync(): void {
		try {
			this.#flush();
		} catch (error) {
			this.#drop();
			throw error;
		}
	}

	#flush(): void {
		if (!this.#isDirty) return;
		this.#file?.sync();
		if (this.#isUnnamed) this.#files.syncDirectory(this.#folder);
		this.#isDirty = false;
		this.#isUnnamed = false;
	}

	/** Ends the segment, synced where it must be. It has ended as well where this throws. */
	seal(withSync: boolean): void {
		try {
			if (withSync) this.#flush();
		} finally {
			this.#drop();
		}
	}

	#drop(): void {
		const file = this.#file;
		this.#file = undefined;
		this.#segment = undefined;
		this.#isDirty = false;
		this.#isUnnamed = false;
		try {
			file?.close();
		} catch {
			// The descriptor is gone all the same, and what the disk refused was told by the writes and the sync.
		}
	}

	[Symbol.dispose](): void {
		this.#drop();
	}
}
