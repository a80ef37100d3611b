import { assert } from "../base/assert.ts";
import { KiB } from "../base/units.ts";
import { errorCode } from "../platform/output.ts";
import type { SpoolFile } from "../platform/spool-files.ts";
import {
	checksum,
	decodeHeader,
	decodeRecordHead,
	headerBytesMax,
	type Place,
	placeBehind,
	type RecordHead,
	recordBytes,
	recordHeadBytes,
	recordMagic,
	type SegmentHeader,
	segmentMagic,
} from "./segment.ts";

/** Bytes read at once while a record is searched for, or its sum is made. */
const chunkBytes = 64 * KiB;
assert(chunkBytes > 2 * recordHeadBytes, "A chunk holds a head");

/** Attempts at a place, one right behind the other, before its page is taken for unreadable. */
const readAttemptsMax = 3;
/** Bytes that are given up together where the disk cannot read them. */
const pageBytes = 4 * KiB;

/** A stretch of a segment in which records are looked for. */
export interface Stretch {
	readonly file: SpoolFile;
	/** The tag of the lane. */
	readonly tag: number;
	/** Bytes of the file that count. */
	readonly end: number;
	/** What was stored before the segment that follows: records from there on were refused, and do not count. */
	readonly below: Place;
}

/** A record in a file: its head is right, its body may not be. */
export interface FoundRecord {
	/** Where its head begins. */
	readonly at: number;
	/** Where it ends. */
	readonly end: number;
	readonly head: RecordHead;
}

/** The header of a segment. */
export type FoundHeader =
	| { readonly kind: "whole"; readonly header: SegmentHeader }
	/** It was ours: torn, or damaged. */
	| { readonly kind: "damaged" }
	/** It begins as nothing of ours does. */
	| { readonly kind: "foreign" };

/** Reads the header of a segment. Throws what the system says. */
export function readHeader(file: SpoolFile): FoundHeader {
	const bytes = readUpTo(file, headerBytesMax, 0);
	const header = decodeHeader(bytes);
	if (header !== undefined) return { kind: "whole", header };
	const beginning = bytes.subarray(0, segmentMagic.length);
	// What a crash leaves: a part of the magic, or zeros that were never overwritten.
	const isOurs = beginning.every((byte, index) => byte === segmentMagic[index] || byte === 0);
	return { kind: isOurs ? "damaged" : "foreign" };
}

/**
 * The first record at `from` or behind it that was stored at `least` or later: the one that begins at `from` where there is one, else the next one found byte by
 * byte. Undefined where there is none. Throws what the system says.
 */
export function findRecord(stretch: Stretch, from: number, least: Place): FoundRecord | undefined {
	assert(from >= 0, "A search begins in the file");
	const first = recordAt(stretch, from, readUpTo(stretch.file, recordHeadBytes, from), least);
	if (first !== undefined) return first;
	for (let start = from + 1; start + recordHeadBytes < stretch.end; ) {
		const chunk = readUpTo(stretch.file, chunkBytes, start);
		if (chunk.length < recordHeadBytes) return undefined;
		const whole = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
		for (
			let index = whole.indexOf(recordMagic);
			index >= 0 && index + recordHeadBytes <= whole.length;
			index = whole.indexOf(recordMagic, index + 1)
		) {
			const found = recordAt(stretch, start + index, chunk.subarray(index, index + recordHeadBytes), least);
			if (found !== undefined) return found;
		}
		// The next chunk begins with the first head that this one may not hold to its end.
		start += chunk.length - recordHeadBytes + 1;
	}
	return undefined;
}

/**
 * The first record at `from` or behind it that was stored at `least` or later, however many earlier ones stand before it. Undefined where there is none. Throws what
 * the system says.
 */
export function seekRecord(stretch: Stretch, from: number, least: Place): FoundRecord | undefined {
	for (let search = from; ; ) {
		const found = findRecord(stretch, search, { records: 0, events: 0 });
		if (found === undefined || (found.head.before.records >= least.records && found.head.before.events >= least.events)) return found;
		search = found.end;
	}
}

function recordAt({ tag, end, below }: Stretch, at: number, bytes: Uint8Array, least: Place): FoundRecord | undefined {
	const head = decodeRecordHead(bytes, tag);
	if (head === undefined) return undefined;
	const behind = placeBehind(head);
	const found = { at, end: at + recordBytes(head), head };
	const isInside = found.end <= end && behind.records <= below.records && behind.events <= below.events;
	return isInside && head.before.records >= least.records && head.before.events >= least.events ? found : undefined;
}

/** True where cursor and payload of a record are as they were appended. Throws what the system says. */
export function isBodyWhole(file: SpoolFile, { at, end, head }: FoundRecord): boolean {
	let sum = 0;
	for (let position = at + recordHeadBytes; position < end; ) {
		const chunk = readUpTo(file, Math.min(chunkBytes, end - position), position);
		if (chunk.length === 0) return false;
		sum = checksum(chunk, sum);
		position += chunk.length;
	}
	return sum === head.bodySum;
}

/** The heads of the records in a segment from `from` on that were stored at `least` or later, in order. Throws what the system says. */
export function* headsOf(stretch: Stretch, from: number, least: Place): Generator<RecordHead> {
	let place = least;
	for (let search = from; ; ) {
		const record = findRecord(stretch, search, place);
		if (record === undefined) return;
		yield record.head;
		search = record.end;
		place = placeBehind(record.head);
	}
}

/** The cursor of a record that is whole. Throws what the system says. */
export function cursorOf(file: SpoolFile, { at, head }: FoundRecord): string {
	return new TextDecoder().decode(readUpTo(file, head.cursorBytes, at + recordHeadBytes));
}

/** What {@link walkSegment} comes to: a record that is whole, or bytes that hold none. */
export type SegmentPart =
	| { readonly kind: "record"; readonly record: FoundRecord }
	/** Bytes from `at` to `end` hold nothing that counts. */
	| { readonly kind: "damage"; readonly at: number; readonly end: number };

/** Everything in a segment from `from` on in its order, nothing left out: the parts lie one behind the other up to its end. Throws what the system says. */
export function* walkSegment(stretch: Stretch, from: number, least: Place): Generator<SegmentPart> {
	let passed = Math.min(from, stretch.end);
	let search = passed;
	let place = least;
	for (;;) {
		const record = findRecord(stretch, search, place);
		if (record === undefined) break;
		assert(record.at >= search, "A search goes forward");
		search = record.end;
		place = placeBehind(record.head);
		if (!isBodyWhole(stretch.file, record)) continue;
		if (record.at > passed) yield { kind: "damage", at: passed, end: record.at };
		yield { kind: "record", record };
		passed = record.end;
	}
	if (passed < stretch.end) yield { kind: "damage", at: passed, end: stretch.end };
}

/** Up to `length` bytes from `position` on; fewer where the file ends. Throws what the system says. */
export function readUpTo(file: SpoolFile, length: number, position: number): Uint8Array {
	const bytes = new Uint8Array(length);
	let count = 0;
	while (count < length) {
		const taken = file.read(bytes.subarray(count), position + count);
		if (taken <= 0) break;
		count += taken;
	}
	return bytes.subarray(0, count);
}

/** Writes all of `content` at `position`. Throws what the system says, and where the disk takes nothing. */
export function writeAll(file: SpoolFile, content: Uint8Array, position: number): void {
	for (let written = 0; written < content.length; ) {
		const count = file.write(content.subarray(written), position + written);
		if (count <= 0) throw new Error("The disk takes nothing");
		written += count;
	}
}

/** What a disk says of a place that it cannot read, now or ever. Everything else passes, and is waited out. */
const unreadableCodes: ReadonlySet<string | undefined> = new Set(["EIO", "EBADMSG", "EUCLEAN"]);

/** True for the failure of a disk to read what was once written. */
export function isUnreadable(cause: unknown): boolean {
	return unreadableCodes.has(errorCode(cause));
}

/** The file with zeros where the disk fails to read, again and again: then the records that stand there are damaged, and those around them are found. */
export function withoutHoles(file: SpoolFile): SpoolFile {
	const attempt = (target: Uint8Array, position: number): number | undefined => {
		for (let failures = 0; failures < readAttemptsMax; failures++) {
			try {
				return file.read(target, position);
			} catch (error) {
				// The next attempt may do better; what comes of the last one is the caller's to decide.
				if (!isUnreadable(error)) throw error;
			}
		}
		return undefined;
	};
	return {
		size: () => file.size(),
		read(target, position) {
			const whole = attempt(target, position);
			if (whole !== undefined || target.length === 0) return whole ?? 0;
			const page = target.subarray(0, Math.min(pageBytes - (position % pageBytes), target.length, Math.max(0, file.size() - position)));
			return attempt(page, position) ?? page.fill(0).length;
		},
		write: (content, position) => file.write(content, position),
		truncate: (length) => file.truncate(length),
		sync: () => file.sync(),
		close: () => file.close(),
	};
}
