import { AssertionError } from "../base/assert.ts";
import { OperatingError } from "../base/errors.ts";
import type { SpoolFile, SpoolFiles } from "../platform/spool-files.ts";
import type { Segment } from "./open-segments.ts";
import { type FoundRecord, isUnreadable, readUpTo, type Stretch, seekRecord, withoutHoles } from "./scan.ts";
import { checksum, type Place, recordHeadBytes } from "./segment.ts";

/** Failures in a row of the disk to read, and as many calls. Beyond it what stands there is given up: a disk that is away for some seconds costs nothing. */
export const readFailuresMax = 10;

/** What the search for the head comes to: a record, or that nothing in the segment counts any more. */
export type HeadFound = { readonly kind: "record"; readonly record: FoundRecord } | { readonly kind: "none" };

/** Cursor and payload of a record. */
export type BodyRead = { readonly kind: "whole"; readonly body: Uint8Array } | { readonly kind: "damaged" };

/**
 * Reads the oldest segment, from which records are taken in front. Throws OperatingError "spool_read" where the disk fails. Where it has failed to read what was written
 * for the tenth time in a row, the pages that it cannot read hold zeros from then on, up to the end of the segment.
 */
export class HeadReader implements Disposable {
	readonly #files: SpoolFiles;
	readonly #tag: number;
	#file: SpoolFile | undefined;
	#path: string | undefined;
	/** Where the search goes on. */
	#at = 0;
	#failures = 0;
	#hasHoles = false;

	constructor(files: SpoolFiles, tag: number) {
		this.#files = files;
		this.#tag = tag;
	}

	/** The disk cannot read all of the segment: what is missing in it is missing for that reason. */
	get hasHoles(): boolean {
		return this.#hasHoles;
	}

	/** The first record of the segment that is not gone, stored before `below`. */
	find(segment: Segment, gone: Place, below: Place): HeadFound {
		return this.#guard<HeadFound>(segment.path, { kind: "none" }, () => {
			if (this.#path !== segment.path) this.#enter(segment);
			if (this.#file === undefined) return { kind: "none" };
			const file = this.#hasHoles ? withoutHoles(this.#file) : this.#file;
			const stretch: Stretch = { file, tag: this.#tag, end: segment.bytes, below };
			const record = seekRecord(stretch, this.#at, gone);
			if (record === undefined) return { kind: "none" };
			this.#at = record.at;
			return { kind: "record", record };
		});
	}

	#enter(segment: Segment): void {
		// Kept through failures to open it, which are counted too.
		const [failures, hasHoles] = [this.#failures, this.#hasHoles];
		this.leave();
		[this.#failures, this.#hasHoles] = [failures, hasHoles];
		this.#file = this.#files.read(segment.path);
		this.#path = segment.path;
		this.#at = segment.headerBytes;
	}

	/** Cursor and payload of the record that was found last. */
	body(record: FoundRecord): BodyRead {
		const { head, at, end } = record;
		return this.#guard<BodyRead>(this.#path ?? "", { kind: "damaged" }, () => {
			if (this.#file === undefined) return { kind: "damaged" };
			const file = this.#hasHoles ? withoutHoles(this.#file) : this.#file;
			const body = readUpTo(file, end - at - recordHeadBytes, at + recordHeadBytes);
			this.#failures = 0;
			return checksum(body) === head.bodySum ? { kind: "whole", body } : { kind: "damaged" };
		});
	}

	/** Does `work`, and once more with holes where the disk has failed too often; `nothing` where even that fails. */
	#guard<T>(path: string, nothing: T, work: () => T): T {
		for (;;) {
			try {
				return work();
			} catch (cause) {
				if (cause instanceof AssertionError) throw cause;
				if (isUnreadable(cause)) this.#failures++;
				if (!isUnreadable(cause) || this.#failures < readFailuresMax) {
					throw new OperatingError("spool_read", `Read the spool in ${path}`, { cause, hint: "check the disk of orchestrator.state_dir" });
				}
				if (this.#hasHoles) return nothing;
				this.#hasHoles = true;
			}
		}
	}

	/** The segment is done with. */
	leave(): void {
		const file = this.#file;
		this.#file = undefined;
		this.#path = undefined;
		this.#failures = 0;
		this.#hasHoles = false;
		try {
			file?.close();
		} catch {
			// It was only read, and its descriptor is gone.
		}
	}

	[Symbol.dispose](): void {
		this.leave();
	}
}
