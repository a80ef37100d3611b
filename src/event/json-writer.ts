import { assert } from "../base/assert.ts";
import { Memory } from "../platform/ffi/memory.ts";

const encoder = new TextEncoder();

/** UTF-8 text in memory with a fixed address, to be copied by {@link JsonWriter.literal}. Its length stands in the last word. */
export function literal(text: string): Memory {
	const encoded = encoder.encode(text);
	const memory = Memory.allocate(((encoded.length + 7) & ~7) + 8);
	memory.bytes.set(encoded);
	memory.words[memory.words.length - 1] = encoded.length;
	return memory;
}

/**
 * Where {@link JsonWriter.decimal} parts a number: 2^53 is below 10^16, so both halves are whole 32-bit numbers. Written out: as `10 ** 8` it is a double to
 * the compiler, and the division costs three times as much.
 */
const halfDigits = 8;
const halfDecimal = 100_000_000;

/** "00" to "99". */
const digitPairs = encoder.encode(Array.from({ length: 100 }, (_, pair) => String(pair).padStart(2, "0")).join(""));

const quote = 0x22;
const backslash = 0x5c;
const hexDigits = encoder.encode("0123456789abcdef");
/** The short escapes of RFC 8259, by byte; 0 where `\u00XX` is used. */
const shortEscape = new Uint8Array(32);
for (const [byte, letter] of [
	[8, "b"],
	[9, "t"],
	[10, "n"],
	[12, "f"],
	[13, "r"],
] as const) {
	shortEscape[byte] = letter.charCodeAt(0);
}

/**
 * Appends JSON text to a {@link Memory} between `position` and `limit`. Nothing is written past the limit: the first piece that does not fit
 * sets `overflow`, and everything after it is ignored until the owner rewinds. One thread.
 */
export class JsonWriter {
	memory: Memory;
	position: number;
	limit: number;
	overflow = false;

	constructor(memory: Memory) {
		this.memory = memory;
		this.position = 0;
		this.limit = memory.length;
	}

	/** Goes on at `position` of `memory`, up to `limit`. */
	attach(memory: Memory, position: number, limit: number): void {
		assert(position >= 0 && position <= limit && limit <= memory.length, "The window lies inside the memory");
		this.memory = memory;
		this.position = position;
		this.limit = limit;
		this.overflow = false;
	}

	/** Copies bytes that are JSON already. */
	raw(source: Memory, offset: number, length: number): void {
		if (!this.#fits(length)) return;
		this.memory.copy(this.position, source, offset, length);
		this.position += length;
	}

	/** Copies a prepared {@link literal}. */
	literal(text: Memory): void {
		const { words } = text;
		const length = words[words.length - 1] ?? 0;
		assert(length <= text.length - 8, "The text was made by literal()");
		this.raw(text, 0, length);
	}

	/** One ASCII byte. */
	byte(value: number): void {
		if (!this.#fits(1)) return;
		this.memory.bytes[this.position++] = value;
	}

	/** Short ASCII text that needs no escaping, at most 64 characters; for longer text use a literal. */
	ascii(text: string): void {
		if (!this.#fits(text.length)) return;
		const { bytes } = this.memory;
		let at = this.position;
		for (let index = 0; index < text.length; index++) bytes[at++] = text.charCodeAt(index);
		this.position = at;
	}

	/** A whole number from 0 to 2^53 - 1, in decimal, with leading zeros up to `width`. */
	decimal(value: number, width = 1): void {
		assert(value >= 0 && value <= Number.MAX_SAFE_INTEGER, "A decimal is a safe whole number");
		if (value < halfDecimal) {
			this.#small(value | 0, width);
			return;
		}
		// A double's division costs three times an integer's: two halves of eight digits at most, each below 2^31.
		const high = Math.floor(value / halfDecimal);
		this.#small(high | 0, width - halfDigits);
		this.#small((value - high * halfDecimal) | 0, halfDigits);
	}

	/** A whole number below 2^31, with leading zeros up to `width`. */
	#small(value: number, width: number): void {
		const needed = digitsOf(value);
		const digits = Math.max(needed, width);
		if (!this.#fits(digits)) return;
		this.#digits(this.position, value, digits);
		this.position += digits;
	}

	/** Writes a whole number from 0 to 2^53 - 1 over one of `width` decimal digits at `at`, which it has as well, leading zeros aside. */
	overwrite(at: number, value: number, width: number): void {
		if (value < halfDecimal) {
			this.#digits(at, value | 0, width);
			return;
		}
		const high = Math.floor(value / halfDecimal);
		this.#digits(at, high | 0, width - halfDigits);
		this.#digits(at + width - halfDigits, (value - high * halfDecimal) | 0, halfDigits);
	}

	/** The digits of a number below 2^31 that has at most `width` of them. */
	#digits(start: number, value: number, width: number): void {
		const { bytes } = this.memory;
		let at = start + width;
		let rest = value | 0;
		// Four digits a step by a double's multiplication (0.0001 as a double is above 1/10000, so no quotient below 2^31 comes out short), and each
		// four by integers: 5243 / 2^19 is 1/100 for what is below 10,000.
		while (rest >= 10_000) {
			const next = (rest * 0.0001) | 0;
			const four = rest - next * 10_000;
			const left = (four * 5243) >>> 19;
			const right = (four - left * 100) << 1;
			at -= 4;
			bytes[at] = digitPairs[left << 1] ?? 48;
			bytes[at + 1] = digitPairs[(left << 1) + 1] ?? 48;
			bytes[at + 2] = digitPairs[right] ?? 48;
			bytes[at + 3] = digitPairs[right + 1] ?? 48;
			rest = next;
		}
		while (rest >= 10) {
			const next = (rest * 5243) >>> 19;
			const pair = (rest - next * 100) << 1;
			bytes[--at] = digitPairs[pair + 1] ?? 48;
			bytes[--at] = digitPairs[pair] ?? 48;
			rest = next;
		}
		if (rest > 0) bytes[--at] = 48 + rest;
		while (at > start) bytes[--at] = 48;
	}

	/** An unsigned 64-bit number from its two words, in decimal. */
	decimal64(low: number, high: number): void {
		if (high < 0x200000) this.decimal(high * 2 ** 32 + low);
		else this.ascii(((BigInt(high) << 32n) | BigInt(low)).toString());
	}

	/** A signed 32-bit number. */
	integer(value: number): void {
		if (value < 0) this.byte(0x2d);
		this.decimal(Math.abs(value));
	}

	/** `width` lower-case hexadecimal digits of an unsigned number below 2^53. */
	hexadecimal(value: number, width: number): void {
		assert(value >= 0 && value <= Number.MAX_SAFE_INTEGER, "A hexadecimal number is a safe whole number");
		if (!this.#fits(width)) return;
		const { bytes } = this.memory;
		const start = this.position;
		let at = start + width;
		this.position = at;
		// Two words: shifts take the digits of 32 bits only.
		let rest = value >>> 0;
		for (let digit = 0; digit < 8 && at > start; digit++) {
			bytes[--at] = hexDigits[rest & 15] ?? 48;
			rest >>>= 4;
		}
		rest = Math.floor(value / 2 ** 32);
		while (at > start) {
			bytes[--at] = hexDigits[rest & 15] ?? 48;
			rest >>>= 4;
		}
	}

	/** A JSON string, with its quotes, of JavaScript text. Not for hot paths. */
	string(text: string): void {
		const encoded = encoder.encode(JSON.stringify(text));
		if (!this.#fits(encoded.length)) return;
		this.memory.bytes.set(encoded, this.position);
		this.position += encoded.length;
	}

	/**
	 * The inside of a JSON string, without quotes, of `length` bytes of UTF-8 at `offset` of `source`; control characters are escaped.
	 * False where the bytes are not valid UTF-8: nothing is written then, and the caller decides. On overflow the result is true.
	 */
	escaped(source: Memory, offset: number, length: number): boolean {
		assert(offset >= 0 && length >= 0 && offset + length <= source.length, "The text lies inside");
		const { bytes, words } = source;
		const end = offset + length;
		const start = this.position;
		let at = offset;
		let run = offset;
		while (at < end) {
			const byte = bytes[at] ?? 0;
			if (byte >= 0x80) {
				const size = utf8Length(bytes, at, end);
				if (size === 0) {
					this.position = start;
					return false;
				}
				at += size;
			} else if (byte >= 0x20 && byte !== quote && byte !== backslash) {
				at++;
				// Four at a time behind a plain byte: text goes on as it began.
				if ((at & 3) === 0) {
					while (at + 4 <= end && marksOf(words[at >>> 2] ?? 0) === 0) at += 4;
				}
			} else {
				if (at > run) this.raw(source, run, at - run);
				this.#escape(byte);
				run = ++at;
			}
		}
		if (at > run) this.raw(source, run, at - run);
		return true;
	}

	/** As {@link escaped}, with U+FFFD for each byte that is no UTF-8. True where nothing had to be replaced. */
	escapedLossy(source: Memory, offset: number, length: number): boolean {
		if (this.escaped(source, offset, length)) return true;
		const end = offset + length;
		let at = offset;
		while (at < end) {
			let good = at;
			while (good < end) {
				const size = (source.bytes[good] ?? 0) < 0x80 ? 1 : utf8Length(source.bytes, good, end);
				if (size === 0) break;
				good += size;
			}
			this.escaped(source, at, good - at);
			if (good < end) this.literal(replacement);
			at = good + 1;
		}
		return false;
	}

	#escape(byte: number): void {
		const short = byte < 32 ? (shortEscape[byte] ?? 0) : byte;
		if (short !== 0) {
			if (!this.#fits(2)) return;
			this.memory.bytes[this.position++] = backslash;
			this.memory.bytes[this.position++] = short;
			return;
		}
		this.ascii("\\u00");
		this.hexadecimal(byte, 2);
	}

	#fits(length: number): boolean {
		if (this.overflow || this.position + length > this.limit) {
			this.overflow = true;
			return false;
		}
		return true;
	}
}

const replacement = literal("\u{fffd}");

/**
 * The top bit of each byte of `word` that cannot stand in a JSON string as it is: 0x80 and more, or where a subtraction goes below zero, less than a
 * space, a quote, a backslash. 0 for four plain characters.
 */
function marksOf(word: number): number {
	const quotes = word ^ 0x22222222;
	const backslashes = word ^ 0x5c5c5c5c;
	return (word | (word - 0x20202020) | (quotes - 0x01010101) | (backslashes - 0x01010101)) & 0x80808080;
}

/** Decimal digits of a whole number from 0 to 2^53 - 1. */
export function decimalDigits(value: number): number {
	return value < halfDecimal ? digitsOf(value) : halfDigits + digitsOf(Math.floor(value / halfDecimal));
}

/** Decimal digits of a whole number below 2^31: at most four comparisons, where a loop over powers of ten takes up to ten turns. */
function digitsOf(value: number): number {
	if (value < 10_000) {
		if (value < 100) return value < 10 ? 1 : 2;
		return value < 1000 ? 3 : 4;
	}
	if (value < 100_000_000) {
		if (value < 1_000_000) return value < 100_000 ? 5 : 6;
		return value < 10_000_000 ? 7 : 8;
	}
	return value < 1_000_000_000 ? 9 : 10;
}

/**
 * Length of the UTF-8 sequence at `at`, whose first byte is 0x80 or more; 0 where it is not valid: stray or missing continuation bytes,
 * overlong forms, surrogates, beyond U+10FFFF (RFC 3629, section 4).
 */
export function utf8Length(bytes: Uint8Array, at: number, end: number): 0 | 2 | 3 | 4 {
	const first = bytes[at] ?? 0;
	if (first < 0xc2 || first > 0xf4) return 0;
	const size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	if (at + size > end) return 0;
	const second = bytes[at + 1] ?? 0;
	if ((second & 0xc0) !== 0x80) return 0;
	if (first === 0xe0 && second < 0xa0) return 0;
	if (first === 0xed && second > 0x9f) return 0;
	if (first === 0xf0 && second < 0x90) return 0;
	if (first === 0xf4 && second > 0x8f) return 0;
	for (let index = 2; index < size; index++) {
		if (((bytes[at + index] ?? 0) & 0xc0) !== 0x80) return 0;
	}
	return size;
}
