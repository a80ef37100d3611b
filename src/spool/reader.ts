import { AssertionError } from "../base/assert.ts";
import { OperatingError } from "../base/errors.ts";
import type { SpoolFile, SpoolFiles } from "../platform/spool-files.ts";
import type { Segment } from "./open-segments.ts";
import { type FoundRecord, isUnreadable, readFailuresMax, readUpTo, type Stretch, seekRecord } from "./scan.ts";
import { checksum, type Place, recordHeadBytes } from "./segment.ts";

/** What the search for the head comes to. */
export type HeadFound =
	| { readonly kind: "record"; readonly record: FoundRecord }
	/** Nothing in the segment counts any more. */
	| { readonly kind: "none" }
	/** The disk failed too often: what cannot be read is to be given up, to the end of the segment. */
	| { readonly kind: "unreadable" };

/** Cursor and payload of a record. */
export type BodyRead = { readonly kind: "whole"; readonly body: Uint8Array } | { readonly kind: "damaged" } | { readonly kind: "unreadable" };

/** Reads the oldest segment, from which records are taken in front. Throws OperatingError "spool_read" where the disk fails, until it has failed too often. */
export class HeadReader implements Disposable {
	readonly #files: SpoolFiles;
	readonly #tag: number;
	#file: SpoolFile | undefined;
	#path: string | undefined;
	/** Where the search goes on. */
	#at = 0;
	#failures = 0;

	constructor(files: SpoolFiles, tag: number) {
		this.#files = files;
		this.#tag = tag;
	}

	/** The first record of the segment that is not gone, stored before `below`. */
	find(segment: Segment, gone: Place, below: Place): HeadFound {
		return this.#guard<HeadFound>(segment.path, () => {
			if (this.#path !== segment.path) this.leave();
			this.#file ??= this.#files.read(segment.path);
			if (this.#file === undefined) return { kind: "none" };
			if (this.#path === undefined) this.#at = segment.headerBytes;
			this.#path = segment.path;
			const stretch: Stretch = { file: this.#file, tag: this.#tag, end: segment.bytes, below };
			const record = seekRecord(stretch, this.#at, gone);
			if (record === undefined) return { kind: "none" };
			this.#at = record.at;
			return { kind: "record", record };
		});
	}

	/** Cursor and payload of a record that was found last. */
	body(record: FoundRecord): BodyRead {
		const { head, at, end } = record;
		return this.#guard<BodyRead>(this.#path ?? "", () => {
			if (this.#file === undefined) return { kind: "damaged" };
			const body = readUpTo(this.#file, end - at - recordHeadBytes, at + recordHeadBytes);
			return checksum(body) === head.bodySum ? { kind: "whole", body } : { kind: "damaged" };
		});
	}

	#guard<T>(path: string, work: () => T): T | { readonly kind: "unreadable" } {
		try {
			const result = work();
			this.#failures = 0;
			return result;
		} catch (cause) {
			if (cause instanceof AssertionError) throw cause;
			if (isUnreadable(cause)) this.#failures++;
			if (this.#failures >= readFailuresMax) {
				this.#failures = 0;
				return { kind: "unreadable" };
			}
			throw new OperatingError("spool_read", `Read the spool in ${path}`, { cause, hint: "check the disk of orchestrator.state_dir" });
		}
	}

	/** The segment is done with. */
	leave(): void {
		const file = this.#file;
		this.#file = undefined;
		this.#path = undefined;
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
