import { expect, test } from "bun:test";
import { printable } from "./printable.ts";

test("printable() leaves text of every script alone", () => {
	for (const text of ["", "plain ~ text", "日本語", "ру́сский", "עברית", "🚀 ± — …", "a\u0301"]) expect(printable(text)).toBe(text);
});

test("printable() shows what a terminal would obey", () => {
	expect(printable("\x1b[2J\x07\x00\x7f\n")).toBe("\\x1b[2J\\x07\\x00\\x7f\\x0a");
	expect(printable("\u009b31m\u0085")).toBe("\\x9b31m\\x85");
});

test("printable() shows what reorders or hides", () => {
	expect(printable("\u202eabc\u202c\u2066\u2069\u061c\u200f")).toBe("\\u202eabc\\u202c\\u2066\\u2069\\u061c\\u200f");
	expect(printable("a\u200bb\ufeffc\u00add\u180e\u2028\ufff9")).toBe("a\\u200bb\\ufeffc\\xadd\\u180e\\u2028\\ufff9");
	expect(printable("\u{e0041}\u{e007f}")).toBe("\\u{e0041}\\u{e007f}");
});

test("printable() shows halves of surrogate pairs and keeps whole ones", () => {
	expect(printable("\ud83d")).toBe("\\ud83d");
	expect(printable("\ude80\ud83d\ude80")).toBe("\\ude80🚀");
});
