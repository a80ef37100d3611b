/*
 * The spool on disk.
 *
 * The spool of a lane is a folder, `<state folder>/spool/<name of the lane as one token>/`, mode 0700, with files of mode 0600. It holds batches as they
 * were cut, oldest first: they are appended behind and taken away in front. Numbers are little-endian, u64 stays below 2^53, CRC is CRC-32 (IEEE).
 *
 *   0000000000000017.segment    a segment: a header and records. The name is the number of its first record, 16 decimal digits.
 *   position                    what is gone in front: acknowledged, or dropped.
 *
 * Any other name is left alone and named.
 *
 * Header of a segment                             Head of a record, 88 bytes, cursor and payload behind it
 *    0  8  "TAPIOSPL"                                 0  u32  89 53 52 31 ("SR1" behind a byte that no UTF-8 text has there)
 *    8  u32  version, 1                               4  u32  CRC of bytes 8 to 87
 *   12  u32  bytes of the header, up to 64 KiB        8  u32  tag of the lane
 *   16  u32  CRC of the header, this field as 0      12  u32  events in the batch, 1 or more
 *   20  u32  bytes of the lane's id                  16  u32  bytes of the cursor, up to 16 KiB
 *   24  u64  number of the first record              20  u32  bytes of the payload, 1 to 16 MiB
 *   32  u64  records stored before it                24  u32  CRC of cursor and payload
 *   40  u64  events stored before it                 28  u32  0
 *   48  u64  time it was begun, ms since 1970        32  u64  number of the record
 *   56  ..   id of the lane, name of the lane        40  u64  sequence of the first event
 *                                                    48  u64  sequence of the last event
 * Slot of the position, two: at 0 and at 4096        56  u64  time it was appended, ms since 1970
 *    0  u32  "TPOS"                                  64  u64  records stored before it
 *    4  u32  CRC of bytes 8 to 47                    72  u64  events stored before it
 *    8  u32  version, 1
 *   12  u32  tag of the lane                         80  u64  run that cut the batch
 *   16  u64  records gone
 *   24  u64  events gone                             The tag of a lane is the CRC of its id, a line feed, and its name.
 *   32  u64  number of the last record gone, as far as known; 0 for none
 *   40  u64  sequence of its last event
 *
 * Every header and every record says how many records and events were ever stored before it in this lane, and the position says how many are gone. What is lost
 * between two that are whole is therefore the difference of what they say, to the event, whatever stood between them; sequences could not tell, for what was
 * refused or filtered left gaps in them that are no loss of the spool. What is lost behind the last whole record leaves no trace, and is known to nobody.
 *
 * Reading. A record counts where its head's CRC, its tag and its place fit: it lies wholly in the file, and what was stored before it is neither less than what was
 * read so far, nor more than what the next segment says. If its other CRC does not fit, it is skipped by its length. Where there is no head, the next one is
 * searched byte by byte. So one damaged byte costs one record, and a page that the disk cannot read those that stand in it. A segment whose header is damaged is
 * read by its records; one in which nothing is whole and which does not begin as ours do is foreign, and refused, as are newer versions and other lanes: nobody
 * knows what they promised. Every version keeps the first 20 bytes of the header, so that it is known for what it is.
 *
 * Limits. A segment ends at about 8 MiB. Where all of them together would go beyond `max_bytes`, the oldest whole segments are dropped first; records older than
 * `max_age` are dropped one by one, in front. Both are counted as dropped, each with its reason.
 *
 * A record that could not be written is cut off again. If even that fails, the segment is left as it is and the next record begins a new one, whose header says
 * how many were stored before it; what stands in earlier segments beyond that number was refused, and does not count. Should the process end in between, and the
 * refused record have reached the disk whole, then it is sent after all: rather twice in the account than never.
 *
 * The position is written after every acknowledgement, into the slot that was not synced last; the other one stands until this one is synced. It is synced before a
 * segment is removed, so that a removed segment is never taken for a lost one. An older position means that batches are found again that were
 * delivered: the run and the sequence of the last batch that the stream holds tell it. Never that one is skipped.
 *
 * What survives what. The end of the process at any instant, kill -9 included: every record whose `append` returned "stored", with every setting of `fsync`. A record
 * that was being written is cut off when the spool is opened next. A loss of power, and a crash of the kernel:
 *   always      every record whose `append` returned "stored".
 *   interval    every record stored before the last sync, thus all but those of the last interval; those may be lost, in whole or in part, in any order. A sync that
 *               fails is counted and made known, for the kernel may then forget what it could not write, whatever later syncs say.
 *   never       what the kernel happened to have written: by default all but the last half minute or so.
 */
import { assert } from "../base/assert.ts";
import { KiB, MiB } from "../base/units.ts";

/** The version of the format that this agent writes. It reads this one and older ones. */
export const spoolFormatVersion = 1;

/** Bytes of a payload. Beyond it the record is refused. */
export const payloadBytesMax = 16 * MiB;
/** Bytes of a cursor. Beyond it the record is refused. */
export const cursorBytesMax = 16 * KiB;
/** Bytes of a lane's id and of its name. Beyond it the lane has no spool. */
export const laneBytesMax = 1024;

/** Bytes of the head of a record. */
export const recordHeadBytes = 88;
/** Bytes of a header without id and name. */
export const headerFixedBytes = 56;
/** Bytes of a header of any version, the newer ones included. */
export const headerBytesMax = 64 * KiB;
assert(headerFixedBytes + 2 * laneBytesMax < headerBytesMax, "A header of this version is a header");
assert(recordHeadBytes + cursorBytesMax + payloadBytesMax < 2 ** 32, "The length of a record fits its fields");

/** "TAPIOSPL", of which no text file begins. */
export const segmentMagic: Uint8Array = new TextEncoder().encode("TAPIOSPL");
/** The first bytes of every record. */
export const recordMagic: Uint8Array = Uint8Array.of(0x89, 0x53, 0x52, 0x31);

/** A place in all that was ever stored in a lane: how much stands before it. */
export interface Place {
	readonly records: number;
	readonly events: number;
}

/** Whose spool it is. */
export interface SpoolLane {
	/** Name of the lane, as of LaneState. */
	readonly name: string;
	/** Its random id. */
	readonly id: string;
}

/** What a segment says of itself. */
export interface SegmentHeader {
	readonly version: number;
	/** Bytes of it. */
	readonly bytes: number;
	readonly lane: SpoolLane;
	/** Number of the first record. */
	readonly number: number;
	/** What was stored before it. */
	readonly before: Place;
	/** When it was begun, milliseconds since 1970. */
	readonly time: number;
}

/** What a record says of itself. */
export interface RecordHead {
	readonly number: number;
	/** The run that cut it. */
	readonly run: number;
	/** Events in the batch. */
	readonly count: number;
	readonly firstSequence: number;
	readonly lastSequence: number;
	/** When it was appended, milliseconds since 1970. */
	readonly time: number;
	/** What was stored before it. */
	readonly before: Place;
	readonly cursorBytes: number;
	readonly payloadBytes: number;
	/** CRC-32 of cursor and payload. */
	readonly bodySum: number;
}

/** CRC-32 of `bytes`, going on from `seed`. */
export function checksum(bytes: Uint8Array, seed = 0): number {
	return Bun.hash.crc32(bytes, seed);
}

/** What tells the records of a lane from those of every other. */
export function laneTag(lane: SpoolLane): number {
	return checksum(new TextEncoder().encode(`${lane.id}\n${lane.name}`));
}

/** The name of the segment whose first record is `number`. */
export function segmentName(number: number): string {
	return `${String(number).padStart(16, "0")}.segment`;
}

/** True for names that {@link segmentName} gives. */
export function isSegmentName(name: string): boolean {
	return /^\d{16}\.segment$/.test(name);
}

/** A header as bytes. */
export function encodeHeader(header: Omit<SegmentHeader, "bytes" | "version">): Uint8Array {
	const id = new TextEncoder().encode(header.lane.id);
	const name = new TextEncoder().encode(header.lane.name);
	assert(id.length <= laneBytesMax && name.length <= laneBytesMax, "Id and name of a lane are short");
	const bytes = new Uint8Array(headerFixedBytes + id.length + name.length);
	const view = new DataView(bytes.buffer);
	bytes.set(segmentMagic);
	view.setUint32(8, spoolFormatVersion, true);
	view.setUint32(12, bytes.length, true);
	view.setUint32(20, id.length, true);
	setWhole(view, 24, header.number);
	setWhole(view, 32, header.before.records);
	setWhole(view, 40, header.before.events);
	setWhole(view, 48, header.time);
	bytes.set(id, headerFixedBytes);
	bytes.set(name, headerFixedBytes + id.length);
	view.setUint32(16, checksum(bytes), true);
	return bytes;
}

/** The header at the start of `bytes`, or undefined where it is torn or damaged. Of a newer version nothing but the version is to be relied on. */
export function decodeHeader(bytes: Uint8Array): SegmentHeader | undefined {
	if (bytes.length < headerFixedBytes || segmentMagic.some((byte, index) => bytes[index] !== byte)) return undefined;
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
	const length = view.getUint32(12, true);
	if (length < headerFixedBytes || length > Math.min(bytes.length, headerBytesMax)) return undefined;
	const summed = bytes.slice(0, length).fill(0, 16, 20);
	if (checksum(summed) !== view.getUint32(16, true)) return undefined;
	const idBytes = view.getUint32(20, true);
	if (idBytes > length - headerFixedBytes) return undefined;
	const decoder = new TextDecoder();
	return {
		version: view.getUint32(8, true),
		bytes: length,
		lane: {
			id: decoder.decode(summed.subarray(headerFixedBytes, headerFixedBytes + idBytes)),
			name: decoder.decode(summed.subarray(headerFixedBytes + idBytes)),
		},
		number: getWhole(view, 24),
		before: { records: getWhole(view, 32), events: getWhole(view, 40) },
		time: getWhole(view, 48),
	};
}

/** The head of a record as bytes. */
export function encodeRecordHead(head: RecordHead, tag: number): Uint8Array {
	assert(head.count > 0 && head.count < 2 ** 32 && head.payloadBytes > 0, "A batch holds events");
	assert(head.cursorBytes <= cursorBytesMax && head.payloadBytes <= payloadBytesMax, "A record keeps its limits");
	const bytes = new Uint8Array(recordHeadBytes);
	const view = new DataView(bytes.buffer);
	bytes.set(recordMagic);
	view.setUint32(8, tag, true);
	view.setUint32(12, head.count, true);
	view.setUint32(16, head.cursorBytes, true);
	view.setUint32(20, head.payloadBytes, true);
	view.setUint32(24, head.bodySum, true);
	setWhole(view, 32, head.number);
	setWhole(view, 40, head.firstSequence);
	setWhole(view, 48, head.lastSequence);
	setWhole(view, 56, head.time);
	setWhole(view, 64, head.before.records);
	setWhole(view, 72, head.before.events);
	setWhole(view, 80, head.run);
	view.setUint32(4, checksum(bytes.subarray(8)), true);
	return bytes;
}

/** The head of a record of the lane with this tag at the start of `bytes`, or undefined where there is none. */
export function decodeRecordHead(bytes: Uint8Array, tag: number): RecordHead | undefined {
	if (bytes.length < recordHeadBytes || recordMagic.some((byte, index) => bytes[index] !== byte)) return undefined;
	const view = new DataView(bytes.buffer, bytes.byteOffset, recordHeadBytes);
	if (view.getUint32(8, true) !== tag || checksum(bytes.subarray(8, recordHeadBytes)) !== view.getUint32(4, true)) return undefined;
	const head: RecordHead = {
		number: getWhole(view, 32),
		run: getWhole(view, 80),
		count: view.getUint32(12, true),
		firstSequence: getWhole(view, 40),
		lastSequence: getWhole(view, 48),
		time: getWhole(view, 56),
		before: { records: getWhole(view, 64), events: getWhole(view, 72) },
		cursorBytes: view.getUint32(16, true),
		payloadBytes: view.getUint32(20, true),
		bodySum: view.getUint32(24, true),
	};
	// The sum is right and the content is not: nobody of ours wrote it.
	if (head.count === 0 || head.payloadBytes === 0 || head.payloadBytes > payloadBytesMax || head.cursorBytes > cursorBytesMax) return undefined;
	return head.before.events + head.count > Number.MAX_SAFE_INTEGER ? undefined : head;
}

/** Bytes of a record with this head. */
export function recordBytes({ cursorBytes, payloadBytes }: Pick<RecordHead, "cursorBytes" | "payloadBytes">): number {
	return recordHeadBytes + cursorBytes + payloadBytes;
}

/** The place behind a record. */
export function placeBehind({ before, count }: RecordHead): Place {
	return { records: before.records + 1, events: before.events + count };
}

/** Writes a whole number below 2^53 as u64. */
export function setWhole(view: DataView, at: number, value: number): void {
	assert(Number.isSafeInteger(value) && value >= 0, "A number of the spool is whole and below 2^53");
	view.setUint32(at, value % 2 ** 32, true);
	view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}

/** Reads a u64; one that is no safe whole number becomes the largest that is. */
export function getWhole(view: DataView, at: number): number {
	return Math.min(Number.MAX_SAFE_INTEGER, view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true));
}
