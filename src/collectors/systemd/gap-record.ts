import {
	noPriority,
	textOffset,
	wordCursorLength,
	wordCursorOffset,
	wordPriority,
	wordRawLength,
	wordRealtimeHigh,
	wordRealtimeLow,
} from "./record.ts";
import { beforeMark } from "./start-position.ts";

/** What is missing before an entry. */
export interface Gap {
	/** How many entries; undefined where that cannot be known. */
	readonly lost: number | undefined;
	readonly reason: "vacuumed" | "position_lost";
	/** Cursor of the first entry behind the gap. */
	readonly cursor: string;
	/** Microseconds since the epoch of that entry. */
	readonly realtime: number;
}

const encoder = new TextEncoder();

/** A gap as a record of record.ts. */
export function encodeGap({ lost, reason, cursor, realtime }: Gap): Uint8Array {
	const counted = lost === undefined ? '"tapio.gap.lost.known":false' : `"tapio.gap.lost":${lost}`;
	const text = `{"tapio.gap.before":"${cursor}",${counted},"tapio.gap.reason":"${reason}"}`;
	// The entry behind the gap is yet to come: a successor that finds this position begins with it, and announces no gap.
	return record(`${text}${cursor}${beforeMark}`, text.length, cursor.length + beforeMark.length, realtime, text.length);
}

/** A position without an event as a record of record.ts. */
export function encodeCheckpoint(cursor: string): Uint8Array {
	return record(cursor, 0, cursor.length, 0, 0);
}

function record(text: string, cursorOffset: number, cursorLength: number, realtime: number, rawLength: number): Uint8Array {
	const body = encoder.encode(text);
	const bytes = new Uint8Array(textOffset + body.length);
	bytes.set(body, textOffset);
	const words = new Uint32Array(bytes.buffer, 0, textOffset / 4);
	words[wordRealtimeLow] = realtime % 2 ** 32;
	words[wordRealtimeHigh] = Math.floor(realtime / 2 ** 32);
	words[wordPriority] = noPriority;
	words[wordCursorOffset] = textOffset + cursorOffset;
	words[wordCursorLength] = cursorLength;
	words[wordRawLength] = rawLength;
	return bytes;
}
