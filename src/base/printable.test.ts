import { expect, test } from "bun:test";
import fc from "fast-check";
import { printable } from "./printable.ts";

test("printable() shows what could move a terminal, and leaves the rest", () => {
	expect(printable("a\x1b[31mb\u0000\n\t\u202e\u009bé字😀")).toBe("a\\x1b[31mb\\x00\\x0a\\x09\\u202e\\x9bé字😀");
	expect(printable("\ud800x")).toBe("\\ud800x");
});

test("printable() leaves no control character in any text", () => {
	fc.assert(
		fc.property(fc.string({ unit: "binary" }), (text) => {
			expect(/[\p{Cc}\p{Bidi_Control}]/u.test(printable(text))).toBe(false);
		}),
	);
});
