import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expectGolden } from "../../../test/support/golden.ts";
import { type LineStyle, omissionLine, prettyLine } from "./pretty-line.ts";

process.env["TZ"] = "UTC";

const fixtures = join(import.meta.dir, "fixtures");
const hostile = readFileSync(join(fixtures, "hostile.ndjson"), "utf8").trimEnd().split("\n");
const now = Date.UTC(2026, 0, 2, 12);
const plain: LineStyle = { colors: false, columns: 0, now };
/** Everything that can steer a terminal, or make a line read differently from what it is. */
const steering = /[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/;

const render = (style: LineStyle) => hostile.map((line) => `${prettyLine(line, style)}\n`).join("");

test("prettyLine() in a pipe: plain and whole", () => {
	expectGolden(join(fixtures, "pipe.golden.txt"), render(plain));
});

test("prettyLine() on a terminal of 80 columns: coloured and cut", () => {
	expectGolden(join(fixtures, "terminal.golden.txt"), render({ colors: true, columns: 80, now }));
});

test("prettyLine() never passes on what steers a terminal", () => {
	for (const line of hostile) expect(prettyLine(line, plain)).not.toMatch(steering);
	const event = (message: string) =>
		JSON.stringify({ source: `/a/b/${message}`, type: message, subject: message, data: { raw: { MESSAGE: message } } });
	fc.assert(
		fc.property(fc.string({ unit: "binary" }), (message) => {
			expect(prettyLine(event(message), plain)).not.toMatch(steering);
		}),
	);
});

test("prettyLine() never exceeds the width, whatever the characters", () => {
	const message = fc.string({ unit: fc.constantFrom("a", "界", "🚀", "e\u0301", "\u001b", "…", " ") });
	fc.assert(
		fc.property(message, fc.integer({ min: 1, max: 120 }), (text, columns) => {
			const line = JSON.stringify({ source: "/a/b/systemd", type: "tapio.systemd.entry", data: { raw: { MESSAGE: text } } });
			for (const colors of [true, false]) expect(Bun.stringWidth(prettyLine(line, { colors, columns, now }))).toBeLessThanOrEqual(columns);
		}),
	);
});

test("prettyLine() closes every colour that it opens", () => {
	for (const line of hostile) {
		for (const columns of [0, 10, 40, 80]) {
			const pieces = prettyLine(line, { colors: true, columns, now })
				.split(/(\x1b\[[\d;]*m)/)
				.filter((piece) => piece.startsWith("\x1b"));
			expect(pieces.filter((_, index) => index % 2 === 1).every((piece) => piece === "\x1b[0m")).toBe(true);
			expect(pieces.length % 2).toBe(0);
		}
	}
});

test("prettyLine() reads any JSON without throwing", () => {
	fc.assert(fc.property(fc.json(), (text) => prettyLine(text, plain).length > 0));
});

test("omissionLine() counts in words", () => {
	expect(omissionLine(1, plain)).toStartWith("… 1 event not shown");
	expect(omissionLine(12, plain)).toStartWith("… 12 events not shown");
});

test("prettyLine() names the day of what did not happen today", () => {
	const [first = ""] = hostile;
	expect(prettyLine(first, { ...plain, now: Date.UTC(2026, 0, 4) })).toStartWith("01-02 03:04:05.123 systemd");
	expect(prettyLine(first, plain)).toStartWith("03:04:05.123 systemd");
});
