import { expect, test } from "bun:test";
import fc from "fast-check";
import { makeRun } from "../../base/run.ts";
import { Memory } from "../../platform/ffi/memory.ts";
import { createHeaderWriter, cursorBytesMax, decodeCursor, encodeCursor, headerValue } from "./headers.ts";

const anyText = fc.string({
	unit: fc.oneof(fc.constantFrom("\r", "\n", "\0", " ", "%", ":", "é", "\u0085", "\u2028"), fc.string({ minLength: 1, maxLength: 1 })),
});

test("HeaderWriter gives lines that no name can break, within its limit", () => {
	fc.assert(
		fc.property(anyText, anyText, anyText, fc.nat(), (cluster, node, collector, number) => {
			const writer = createHeaderWriter({ cluster, node, collector, id: "0a1b" }, "TAPIO");
			const memory = Memory.allocate(8);
			const lastCursor = "c".repeat(cursorBytesMax);
			const encoded = writer.encode(
				{
					number,
					memory,
					offset: 0,
					length: 1,
					count: 2 ** 32,
					lastSequence: Number.MAX_SAFE_INTEGER,
					lastCursor,
					run: makeRun(1 - Number.EPSILON),
				},
				Number.MAX_SAFE_INTEGER,
				true,
				Number.MAX_SAFE_INTEGER,
			);
			expect(encoded.length).toBeLessThanOrEqual(writer.bytesMax);
			const text = new TextDecoder().decode(encoded);
			expect(text.endsWith("\r\n\r\n")).toBe(true);
			const lines = text.slice(0, -4).split(/\r\n|\r|\n/);
			expect(lines).toHaveLength(16);
			expect(lines.slice(1).every((line) => /^[A-Za-z-]+: /.test(line))).toBe(true);
			expect(lines).toContain(`Nats-Msg-Id: 0a1b-${number}`);
		}),
	);
});

test("HeaderWriter leaves out what does not apply", () => {
	const writer = createHeaderWriter({ cluster: "c", node: "n", collector: "k", id: "0a" }, undefined);
	const text = new TextDecoder().decode(
		writer.encode(
			{ number: 1, memory: Memory.allocate(8), offset: 0, length: 1, count: 1, lastSequence: 1, lastCursor: "", run: 0 },
			undefined,
			false,
			1,
		),
	);
	for (const name of ["Nats-Expected", "Tapio-Last-Cursor", "Content-Encoding"]) expect(text).not.toContain(name);
});

test("headerValue() keeps names as they are, but for control characters", () => {
	expect(headerValue("größe 100% a:b")).toBe("größe 100% a:b");
	expect(headerValue("a\r\nNats-Rollup: all")).toBe("a%0D%0ANats-Rollup: all");
});

test("encodeCursor() comes back exactly, and stays one line", () => {
	fc.assert(
		fc.property(anyText, (cursor) => {
			const text = encodeCursor(cursor);
			expect(text).not.toMatch(/[\p{Cc}\s]/u);
			expect(decodeCursor(text)).toBe(cursor.toWellFormed());
		}),
	);
	expect(encodeCursor("s=1f;i=2;b=3")).toBe("s=1f;i=2;b=3");
});

test("encodeCursor() refuses one that is too long, decodeCursor() takes what is no encoding", () => {
	expect(() => encodeCursor("x".repeat(cursorBytesMax + 1))).toThrow(/more than 1024 bytes/);
	expect(decodeCursor("100%")).toBe("100%");
});
