import { assert } from "../../base/assert.ts";

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const lineFeed = 0x0a;
const space = 0x20;

/**
 * The events of a batch, a JSON array at `bytes` 0 to `length`, as lines: a copy of the same bytes in which each event ends with a line feed. Nothing is
 * parsed or written anew, so every digit stays. Line feeds between the tokens of an event become spaces; inside strings JSON has none.
 */
export function eventLines(bytes: Uint8Array, length: number): Uint8Array {
	assert(length >= 2 && length <= bytes.length, "A batch is an array inside its memory");
	assert(bytes[0] === 0x5b && bytes[length - 1] === 0x5d, "A batch begins and ends as an array");
	if (length === 2) return new Uint8Array(0);
	// The opening bracket goes, the closing one becomes the last line feed.
	const lines = bytes.slice(1, length);
	const end = lines.length - 1;
	lines[end] = lineFeed;
	let depth = 0;
	let at = 0;
	while (at < end) {
		const byte = lines[at] ?? 0;
		if (byte === quote) {
			at = stringEnd(lines, at + 1, end);
			continue;
		}
		// `{` and `[` differ from `}` and `]` by 2, and by 0x20 from each other.
		const bracket = byte | 0x20;
		if (bracket === 0x7b) depth++;
		else if (bracket === 0x7d) depth--;
		else if (byte === comma && depth === 0) lines[at] = lineFeed;
		else if (byte === lineFeed || byte === 0x0d) lines[at] = space;
		at++;
	}
	assert(depth === 0, "The events of a batch are whole");
	return lines;
}

/** Bytes of the first `count` lines. */
export function bytesOfLines(lines: Uint8Array, count: number): number {
	let end = 0;
	for (let line = 0; line < count && end < lines.length; line++) end = lines.indexOf(lineFeed, end) + 1;
	return end;
}

/** Index behind the quote that ends the string whose inside begins at `at`. */
function stringEnd(bytes: Uint8Array, at: number, end: number): number {
	let index = at;
	while (index < end) {
		const byte = bytes[index];
		if (byte === quote) return index + 1;
		index += byte === backslash ? 2 : 1;
	}
	return end;
}
