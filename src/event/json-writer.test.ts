import { expect, test } from "bun:test";
import fc from "fast-check";
import { AssertionError } from "../base/assert.ts";
import { Memory } from "../platform/ffi/memory.ts";
import { JsonWriter, literal, utf8Length } from "./json-writer.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** `bytes` at `offset` of a memory with other bytes around them, so that reading too far shows. */
function memoryOf(bytes: Uint8Array, offset = 3, around = 0x22): Memory {
	const memory = Memory.allocate(offset + bytes.length + 16);
	memory.bytes.fill(around);
	memory.bytes.set(bytes, offset);
	return memory;
}

/** What `write` appends at `position` of an output with room for `room` bytes, and proves that nothing is written outside of it. */
function written(write: (writer: JsonWriter) => void, room = 8192, position = 5): { readonly text: string; readonly overflow: boolean } {
	const output = Memory.allocate(position + room + 16);
	output.bytes.fill(0xee);
	const writer = new JsonWriter(output);
	writer.attach(output, position, position + room);
	write(writer);
	expect(writer.position).toBeLessThanOrEqual(position + room);
	expect(output.bytes.subarray(0, position).every((byte) => byte === 0xee)).toBe(true);
	expect(output.bytes.subarray(position + room).every((byte) => byte === 0xee)).toBe(true);
	return { text: decoder.decode(output.bytes.subarray(position, writer.position)), overflow: writer.overflow };
}

function isValidUtf8(bytes: Uint8Array): boolean {
	try {
		decoder.decode(bytes);
		return true;
	} catch {
		// The decoder is fatal: an exception is its word for no.
		return false;
	}
}

const text = fc.oneof(
	fc.string({ unit: "binary", maxLength: 200 }),
	fc.string({ unit: "grapheme", maxLength: 60 }),
	fc.string({ unit: fc.constantFrom("a", "ü", "€", "😀", '"', "\\", "\n", "\u0000", "\u001f", " ", "\u007f", "\u2028"), maxLength: 120 }),
);

test("JsonWriter.escaped() writes what JSON.stringify writes, for every text, at every alignment", () => {
	fc.assert(
		fc.property(text, fc.nat({ max: 9 }), fc.nat({ max: 9 }), (value, offset, position) => {
			const bytes = encoder.encode(value);
			const output = written((writer) => expect(writer.escaped(memoryOf(bytes, offset), offset, bytes.length)).toBe(true), 2000, position);
			expect(`"${output.text}"`).toBe(JSON.stringify(value));
		}),
		{ numRuns: 3000 },
	);
});

test("JsonWriter.escaped() escapes each ASCII character as JSON.stringify does", () => {
	for (let code = 0; code < 128; code++) {
		for (let before = 0; before < 9; before++) {
			const value = `${"x".repeat(before)}${String.fromCharCode(code)}yz`;
			const bytes = encoder.encode(value);
			const output = written((writer) => expect(writer.escaped(memoryOf(bytes), 3, bytes.length)).toBe(true));
			expect(`"${output.text}"`).toBe(JSON.stringify(value));
		}
	}
});

test("JsonWriter.escaped() tells invalid UTF-8 exactly where a strict decoder does, and writes nothing then", () => {
	const byte = fc.oneof(
		fc.nat({ max: 127 }),
		fc.constantFrom(0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef),
		fc.integer({ min: 0xf0, max: 255 }),
	);
	let invalid = 0;
	fc.assert(
		fc.property(fc.array(byte, { maxLength: 40 }), fc.nat({ max: 7 }), (values, offset) => {
			const bytes = Uint8Array.from(values);
			// Continuation bytes around: a sequence that is cut by the end must not borrow them.
			const output = written((writer) => expect(writer.escaped(memoryOf(bytes, offset, 0x80), offset, bytes.length)).toBe(isValidUtf8(bytes)));
			if (isValidUtf8(bytes)) expect(`"${output.text}"`).toBe(JSON.stringify(decoder.decode(bytes)));
			else expect(output.text).toBe("");
			if (!isValidUtf8(bytes)) invalid++;
		}),
		{ numRuns: 5000 },
	);
	expect(invalid).toBeGreaterThan(100);
});

test("utf8Length() knows every code point and refuses every overlong form, surrogate and number beyond U+10FFFF", () => {
	for (let code = 0x80; code <= 0x10ffff; code += code < 0x11000 ? 1 : 97) {
		if (code >= 0xd800 && code <= 0xdfff) continue;
		const bytes = encoder.encode(String.fromCodePoint(code));
		if (utf8Length(bytes, 0, bytes.length) !== bytes.length || utf8Length(bytes, 0, bytes.length - 1) !== 0)
			throw new Error(`U+${code.toString(16)}`);
	}
	for (const wrong of [
		"80",
		"bf",
		"c080",
		"c1bf",
		"e08080",
		"e09fbf",
		"eda080",
		"edbfbf",
		"f0808080",
		"f08fbfbf",
		"f4908080",
		"f5808080",
		"ff",
		"c2",
		"e282",
		"f09f98",
		"c27f",
		"e28228",
	]) {
		const bytes = Uint8Array.from(Buffer.from(wrong, "hex"));
		expect([wrong, utf8Length(bytes, 0, bytes.length)]).toEqual([wrong, 0]);
	}
});

test("JsonWriter.escapedLossy() puts U+FFFD for each byte that is no UTF-8 and keeps the rest", () => {
	for (const [hex, expected, isClean] of [
		["61ff62", "a\ufffdb", false],
		["ff", "\ufffd", false],
		["e28261", "\ufffd\ufffda", false],
		["22c3a4", '\\"ä', true],
		["", "", true],
	] as const) {
		const bytes = Uint8Array.from(Buffer.from(hex, "hex"));
		const output = written((writer) => expect(writer.escapedLossy(memoryOf(bytes), 3, bytes.length)).toBe(isClean));
		expect(output.text).toBe(expected);
	}
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
			const output = written((writer) => writer.escapedLossy(memoryOf(bytes), 3, bytes.length));
			expect(() => JSON.parse(`"${output.text}"`)).not.toThrow();
		}),
	);
});

test("JsonWriter.decimal() writes what String writes, with leading zeros up to the width", () => {
	const value = fc.oneof(
		fc.maxSafeNat(),
		fc.nat(),
		fc.nat({ max: 53 }).map((bits) => Math.min(2 ** bits, Number.MAX_SAFE_INTEGER)),
		fc.nat({ max: 15 }).map((power) => 10 ** power - 1),
	);
	fc.assert(
		fc.property(value, fc.nat({ max: 24 }), (number, width) => {
			expect(written((writer) => writer.decimal(number, width)).text).toBe(String(number).padStart(width, "0"));
		}),
		{ numRuns: 3000 },
	);
	for (const number of [0, 1, 9, 10, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 10 ** 15, Number.MAX_SAFE_INTEGER]) {
		expect(written((writer) => writer.decimal(number)).text).toBe(String(number));
	}
	for (const wrong of [-1, 2 ** 53, Number.NaN]) expect(() => written((writer) => writer.decimal(wrong))).toThrow(AssertionError);
});

test("JsonWriter.decimal64() and hexadecimal() write 64-bit numbers exactly", () => {
	fc.assert(
		fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
			expect(written((writer) => writer.decimal64(Number(value & 0xffffffffn), Number(value >> 32n))).text).toBe(String(value));
		}),
		{ numRuns: 2000 },
	);
	expect(written((writer) => writer.decimal64(0xffffffff, 0xffffffff)).text).toBe("18446744073709551615");
	fc.assert(
		fc.property(fc.maxSafeNat(), fc.integer({ min: 14, max: 20 }), (value, width) => {
			expect(written((writer) => writer.hexadecimal(value, width)).text).toBe(value.toString(16).padStart(width, "0"));
		}),
	);
	expect(written((writer) => writer.hexadecimal(0xabcdef, 4)).text).toBe("cdef");
});

test("JsonWriter.integer() writes signed numbers", () => {
	for (const value of [0, -1, 1, 2 ** 31 - 1, -(2 ** 31)]) expect(written((writer) => writer.integer(value)).text).toBe(String(value));
});

test("JsonWriter.string(), literal(), ascii() and byte() write what they are given", () => {
	const key = literal('"schlüssel":');
	const output = written((writer) => {
		writer.byte(0x7b);
		writer.literal(key);
		writer.string('a"\n\u{1f600}');
		writer.ascii("}");
	});
	expect(JSON.parse(output.text)).toEqual({ schlüssel: 'a"\n\u{1f600}' });
	expect(written((writer) => writer.literal(literal(""))).text).toBe("");
});

test("JsonWriter writes nothing past its limit: the first piece that does not fit sets overflow, and nothing follows it", () => {
	const bytes = encoder.encode('plain "quoted" \u0001 größer und größer');
	const pieces: ((writer: JsonWriter) => void)[] = [
		(writer) => writer.escaped(memoryOf(bytes), 3, bytes.length),
		(writer) => writer.decimal(123456789, 12),
		(writer) => writer.decimal64(1, 0xffffffff),
		(writer) => writer.integer(-77),
		(writer) => writer.hexadecimal(0xfeed, 8),
		(writer) => writer.string("größer"),
		(writer) => writer.literal(literal('"key":')),
		(writer) => writer.byte(0x2c),
		(writer) => writer.ascii("short"),
		(writer) => writer.escapedLossy(memoryOf(Uint8Array.of(0xff, 0x41)), 3, 2),
	];
	const whole = written((writer) => {
		for (const piece of pieces) piece(writer);
	});
	const length = encoder.encode(whole.text).length;
	expect(whole.overflow).toBe(false);
	for (let room = 0; room <= length; room++) {
		const output = Memory.allocate(room + 64);
		const writer = new JsonWriter(output);
		output.bytes.fill(0xee);
		writer.attach(output, 8, 8 + room);
		for (const piece of pieces) piece(writer);
		expect(writer.overflow).toBe(room < length);
		expect(output.bytes.subarray(8 + room).every((byte) => byte === 0xee)).toBe(true);
		expect(encoder.encode(whole.text).subarray(0, writer.position - 8)).toEqual(output.bytes.slice(8, writer.position));
		writer.attach(output, 0, 8);
		expect(writer.overflow).toBe(false);
	}
	expect(() => new JsonWriter(Memory.allocate(8)).attach(Memory.allocate(8), 0, 9)).toThrow(AssertionError);
});
