import { type JsonWriter, utf8Length } from "../../event/json-writer.ts";
import type { Memory } from "../../platform/ffi/memory.ts";

/**
 * Writes the value of a journal field as `journalctl -o json` does: a string where it is printable UTF-8 (tabs and newlines count as printable),
 * else an array of byte values (systemd, logs-show.c and utf8.c). Tells whether it became a string.
 */
export function writeValue(out: JsonWriter, source: Memory, offset: number, length: number): boolean {
	const start = out.position;
	out.byte(0x22);
	if (writePrintable(out, source, offset, offset + length)) {
		out.byte(0x22);
		return true;
	}
	out.position = start;
	writeBytes(out, source.bytes, offset, offset + length);
	return false;
}

/** Longer values are looked through first and copied in one piece as far as they are plain; shorter ones are copied word by word while they are looked at. */
const shortBytesMax = 1024;

function writePrintable(out: JsonWriter, source: Memory, offset: number, end: number): boolean {
	const at = end - offset > shortBytesMax ? skipPlain(source, offset, end) : offset;
	if (at > offset) out.raw(source, offset, at - offset);
	return at === end || writeEscaped(out, source, at, end);
}

/**
 * Copies text and escapes what needs it: a word at a time where all of it is plain, else byte by byte up to the next word, because a call for each piece
 * between two quotes costs more than its bytes.
 */
function writeEscaped(out: JsonWriter, source: Memory, offset: number, end: number): boolean {
	if (out.overflow || out.position + 2 * (end - offset) > out.limit) {
		// Room for the worst case is not there: what does not fit is found out the slow way, which cuts.
		out.overflow = true;
		return true;
	}
	const { bytes, words } = source;
	const { bytes: target, view } = out.memory;
	let to = out.position;
	let at = offset;
	while (at < end) {
		if ((at & 3) === 0) {
			const last = end - 4;
			while (at <= last) {
				const word = (words[at >>> 2] ?? 0) | 0;
				if (!isPlainWord(word)) break;
				view.setInt32(to, word, true);
				to += 4;
				at += 4;
			}
			if (at >= end) break;
		}
		const byte = bytes[at] ?? 0;
		if (byte >= 0x80) {
			let size = printableLength(bytes, at, end);
			if (size === 0) return false;
			for (; size > 0; size--) target[to++] = bytes[at++] ?? 0;
			continue;
		}
		if (byte < 0x20 || byte === 0x7f) {
			if (byte !== 0x0a && byte !== 0x09) return false;
			target[to++] = 0x5c;
			target[to++] = byte === 0x0a ? 0x6e : 0x74;
			at++;
			continue;
		}
		if (byte === 0x22 || byte === 0x5c) target[to++] = 0x5c;
		target[to++] = byte;
		at++;
	}
	out.position = to;
	return true;
}

/** The first byte from `at` on that is not printable ASCII, or needs an escape: four bytes at a time where they lie in one word. */
function skipPlain(source: Memory, at: number, end: number): number {
	const { bytes, words } = source;
	let index = at;
	while (index < end) {
		if ((index & 3) === 0) {
			const last = end - 4;
			while (index <= last && isPlainWord((words[index >>> 2] ?? 0) | 0)) index += 4;
			if (index >= end) return end;
		}
		const byte = bytes[index] ?? 0;
		if (byte < 0x20 || byte >= 0x7f || byte === 0x22 || byte === 0x5c) return index;
		index++;
	}
	return end;
}

const highBits = 0x80808080 | 0;
const ones = 0x01010101;

/**
 * True where each of four bytes is from 0x20 to 0x7e and neither quote nor backslash. Each subtraction borrows from the top bit of a byte that is too small; a
 * borrow that goes on into the next byte comes from one that is not plain itself, so it changes no answer.
 */
function isPlainWord(word: number): boolean {
	const quotes = (word ^ 0x22222222) - ones;
	const backslashes = (word ^ 0x5c5c5c5c) - ones;
	const deletes = (word ^ 0x7f7f7f7f) - ones;
	return ((word | (word - 0x20202020) | quotes | backslashes | deletes) & highBits) === 0;
}

/** Length of the printable character at `at`; 0 for bad UTF-8, a C1 control (U+0080 to U+009F) or a noncharacter. */
function printableLength(bytes: Uint8Array, at: number, end: number): number {
	const size = utf8Length(bytes, at, end);
	if (size === 2 && bytes[at] === 0xc2 && (bytes[at + 1] ?? 0) < 0xa0) return 0;
	if (size === 3 && bytes[at] === 0xef && isNoncharacter(((bytes[at + 1] ?? 0) << 8) | (bytes[at + 2] ?? 0))) return 0;
	// The last two code points of every plane: xF BF BE and xF BF BF at the end of a four-byte form.
	if (size === 4 && ((bytes[at + 1] ?? 0) & 0x0f) === 0x0f && bytes[at + 2] === 0xbf && (bytes[at + 3] ?? 0) >= 0xbe) return 0;
	return size;
}

/** U+FDD0 to U+FDEF, U+FFFE and U+FFFF by their last two bytes behind 0xEF. */
function isNoncharacter(tail: number): boolean {
	return (tail >= 0xb790 && tail <= 0xb7af) || tail === 0xbfbe || tail === 0xbfbf;
}

function writeBytes(out: JsonWriter, bytes: Uint8Array, offset: number, end: number): void {
	out.byte(0x5b);
	for (let at = offset; at < end && !out.overflow; at++) {
		if (at > offset) out.byte(0x2c);
		out.decimal(bytes[at] ?? 0);
	}
	out.byte(0x5d);
}
