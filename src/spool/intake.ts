import { assert } from "../base/assert.ts";
import type { SpoolFiles } from "../platform/spool-files.ts";
import { noAmount } from "./account.ts";
import type { Segment } from "./open-segments.ts";
import type { SpoolLimits, SpoolRecord } from "./record.ts";
import { encodeHeader, type SpoolLane, segmentName } from "./segment.ts";
import { type Shelf, segmentBytesFor } from "./shelf.ts";
import { SegmentWriter } from "./writer.ts";

/** Where an intake writes, and for whom. */
export interface IntakeOptions {
	readonly files: SpoolFiles;
	readonly folder: string;
	readonly lane: SpoolLane;
	readonly limits: SpoolLimits;
	readonly shelf: Shelf;
	/** Hears what the disk refuses. */
	readonly note: (what: string, cause: unknown) => void;
}

/** The end of a spool where records go in: begins segments, ends them when they are full, and puts them on the shelf. */
export class Intake {
	/** Bytes of the header of each segment. */
	readonly headerBytes: number;
	readonly #options: IntakeOptions;
	readonly #segmentBytes: number;
	readonly #writer: SegmentWriter;

	/** Goes on in the last segment of the shelf, unless it is full or its header is damaged: then the next record begins a new one. */
	constructor(options: IntakeOptions) {
		const { files, folder, lane, limits, shelf, note } = options;
		this.#options = options;
		this.headerBytes = encodeHeader({ lane, number: 0, before: noAmount, time: 0 }).length;
		this.#segmentBytes = segmentBytesFor(limits.maxBytes);
		this.#writer = new SegmentWriter(files, folder);
		const last = shelf.segments.at(-1);
		if (last === undefined || last.headerBytes === 0 || last.bytes >= this.#segmentBytes) return;
		try {
			this.#writer.resume(last);
		} catch (cause) {
			note(`Open ${last.path}`, cause);
		}
	}

	/** The segment that is written, undefined where the next record begins one. */
	get segment(): Segment | undefined {
		return this.#writer.segment;
	}

	/** Something is written and not synced. */
	get isDirty(): boolean {
		return this.#writer.isDirty;
	}

	/** Ends the segment if a record of so many bytes is too much for it, and returns the bytes that the record takes with the header that it may need. */
	prepare(bytes: number): number {
		const { segment } = this.#writer;
		if (segment !== undefined && segment.bytes > segment.headerBytes && segment.bytes + bytes > this.#segmentBytes) this.seal();
		return bytes + (this.#writer.segment === undefined ? this.headerBytes : 0);
	}

	/** Writes a record, whole or not at all. Throws what the system says. */
	write(record: SpoolRecord, parts: readonly Uint8Array[]): void {
		if (this.#writer.segment === undefined) this.#begin(record);
		this.#writer.append(parts, this.#options.limits.fsync === "always");
	}

	#begin({ number, time }: SpoolRecord): void {
		const { folder, lane, shelf } = this.#options;
		const before = shelf.tail;
		const header = encodeHeader({ lane, number, before, time });
		assert(header.length === this.headerBytes, "All headers of a lane are as long");
		const segment: Segment = { path: `${folder}/${segmentName(number)}`, before, headerBytes: header.length, bytes: header.length };
		shelf.reuse(segment.path);
		try {
			this.#writer.begin(segment, header);
		} catch (cause) {
			shelf.discard(segment.path);
			throw cause;
		}
		shelf.add(segment);
	}

	/** Ends the segment, synced unless the policy is "never". */
	seal(): void {
		try {
			this.#writer.seal(this.#options.limits.fsync !== "never");
		} catch (cause) {
			this.#options.note("Sync the spool", cause);
		}
	}

	/** Makes what is written survive a loss of power. False where the disk refuses: then the segment has ended. */
	sync(): boolean {
		try {
			this.#writer.sync();
			return true;
		} catch (cause) {
			this.#options.note("Sync the spool", cause);
			return false;
		}
	}

	/** Takes a segment off the shelf that was begun for a record that was refused, and is written no more: it holds nothing. True where there was one. */
	discardEmpty(): boolean {
		const last = this.#options.shelf.segments.at(-1);
		if (last === undefined || last === this.#writer.segment || last.bytes !== last.headerBytes) return false;
		this.#options.shelf.discard(last.path);
		return true;
	}
}
