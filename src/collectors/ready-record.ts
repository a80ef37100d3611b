import type { EventWriter } from "../event/event-writer.ts";
import { Memory } from "../platform/ffi/memory.ts";
import type { RingReader } from "../ring/reader.ts";
import type { Decoded, Decoder } from "./collector.ts";

/*
 * A record that holds its event ready made, for collectors that format in their own host: the thread of the data worker, which all collectors share, has only
 * to copy it and to fill in its number. Little-endian words, then text:
 *
 *   word 0      offset in the payload of the cursor, plain ASCII, anywhere in the text; word 1 its length, 0 for none
 *   word 2      length of the event, which starts at `readyTextOffset`; 0 where the record carries a position and no event
 *   word 3      offset in the event of the 20 digits of its sequence, zeros
 */
const wordCursorOffset = 0;
const wordCursorLength = 1;
const wordEventLength = 2;
const wordSequenceOffset = 3;

/** Bytes before the event. */
export const readyTextOffset = 16;

/** Longest position of {@link positionRecord} and {@link eventRecord}. */
const cursorBytesMax = 512;

/** Where the parts of a record stand, as offsets in its payload. */
export interface ReadyPlaces {
	readonly cursorOffset: number;
	readonly cursorLength: number;
	/** Behind the last byte of the event. */
	readonly eventEnd: number;
	readonly sequenceOffset: number;
}

/** Writes the words of a record whose payload starts at byte 0 of `memory`. */
export function writeReadyHead({ words }: Memory, { cursorOffset, cursorLength, eventEnd, sequenceOffset }: ReadyPlaces): void {
	words[wordCursorOffset] = cursorOffset;
	words[wordCursorLength] = cursorLength;
	words[wordEventLength] = eventEnd - readyTextOffset;
	words[wordSequenceOffset] = sequenceOffset - readyTextOffset;
}

/** A record of one event that `write` makes of a writer, at most `bytesMax` bytes long, with the position behind it. Not for hot paths. */
export function eventRecord(event: EventWriter, bytesMax: number, cursor: string, write: () => boolean): Uint8Array {
	const memory = Memory.allocate(readyTextOffset + bytesMax + cursorBytesMax);
	event.attach(memory, readyTextOffset, readyTextOffset + bytesMax);
	if (!write()) throw new RangeError(`The event takes more than ${bytesMax} bytes`);
	return withCursor(memory, event.position, event.sequenceAt, cursor);
}

/** A record that carries a position and no event. */
export function positionRecord(cursor: string): Uint8Array {
	return withCursor(Memory.allocate(readyTextOffset + cursorBytesMax), readyTextOffset, readyTextOffset, cursor);
}

function withCursor(memory: Memory, eventEnd: number, sequenceOffset: number, cursor: string): Uint8Array {
	const { written } = new TextEncoder().encodeInto(cursor, memory.bytes.subarray(eventEnd));
	writeReadyHead(memory, { cursorOffset: eventEnd, cursorLength: written, eventEnd, sequenceOffset });
	return memory.bytes.subarray(0, eventEnd + written);
}

/** Takes events out of ready-made records. Data worker's thread. */
export class ReadyDecoder implements Decoder {
	cursorOffset = 0;
	cursorLength = 0;

	decode(record: RingReader, event: EventWriter): Decoded {
		const { memory, offset } = record;
		const { words } = memory;
		const base = offset >>> 2;
		this.cursorOffset = offset + (words[base + wordCursorOffset] ?? 0);
		this.cursorLength = words[base + wordCursorLength] ?? 0;
		const length = words[base + wordEventLength] ?? 0;
		if (length === 0) return "none";
		return event.ready(memory, offset + readyTextOffset, length, words[base + wordSequenceOffset] ?? 0) ? "event" : "full";
	}
}
