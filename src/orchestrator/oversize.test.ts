import { expect, test } from "bun:test";
import fc from "fast-check";
import { fitEvent } from "./oversize.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });

interface Fitted {
	readonly id: string;
	readonly truncated?: boolean;
	readonly data: { readonly altered?: readonly { field: string; reason: string; bytes: number }[]; readonly [key: string]: unknown };
}

function squeeze(event: unknown, bytesMax: number): Fitted | undefined {
	const text = fitEvent(encoder.encode(JSON.stringify(event)), bytesMax);
	if (text === undefined) return undefined;
	expect(text.length).toBeLessThanOrEqual(bytesMax);
	return JSON.parse(decoder.decode(text));
}

test("fitEvent() cuts the longest texts first, and lists every cut with its length in bytes", () => {
	const event = {
		id: "1",
		data: { raw: { MESSAGE: "ä".repeat(3000), UNIT: "short.service" }, altered: [{ field: "raw.X", reason: "redacted", bytes: 1 }] },
	};
	const fitted = squeeze(event, 2000);
	expect(fitted).toMatchObject({ id: "1", truncated: true, data: { raw: { UNIT: "short.service" } } });
	expect(fitted?.data.altered).toEqual([
		{ field: "raw.X", reason: "redacted", bytes: 1 },
		{ field: "raw.MESSAGE", reason: "cut", bytes: 6000 },
	]);
	expect(String(JSON.stringify(fitted?.data["raw"]))).toContain("ääää");
});

test("fitEvent() cuts arrays of bytes, and never through a character", () => {
	const fitted = squeeze(
		{ id: "1", data: { raw: { BINARY: Array.from({ length: 9000 }, (_, index) => index & 255), TEXT: `x${"🐟".repeat(900)}` } } },
		1500,
	);
	expect(fitted?.data.altered?.map(({ field }) => field).sort()).toEqual(["raw.BINARY", "raw.TEXT"]);
	expect(JSON.stringify(fitted)).not.toContain("\\ud83d");
	expect(JSON.stringify(fitted).isWellFormed()).toBe(true);
});

test("fitEvent() gives up on what has no long texts, and on what is no event", () => {
	const keys = Object.fromEntries(Array.from({ length: 400 }, (_, index) => [`key${index}`, index]));
	expect(squeeze({ id: "1", data: { raw: keys } }, 1000)).toBeUndefined();
	expect(squeeze({ id: "1" }, 1000)).toBeUndefined();
	expect(squeeze({ id: "1", data: [] }, 1000)).toBeUndefined();
});

test("fitEvent() of any event fits, parses, keeps what is short, and says what it cut", () => {
	const text = fc.string({ unit: "grapheme", maxLength: 600 });
	const value = fc.oneof(text, fc.integer(), fc.constant(null), fc.array(fc.nat(255), { maxLength: 300 }));
	fc.assert(
		fc.property(fc.dictionary(fc.stringMatching(/^[A-Z_]{1,8}$/), value, { maxKeys: 8 }), fc.integer({ min: 300, max: 3000 }), (raw, bytesMax) => {
			const fitted = squeeze({ id: "1", type: "t", data: { raw } }, bytesMax);
			if (fitted === undefined) return;
			expect(fitted.truncated).toBe(true);
			const cut = new Set(fitted.data.altered?.map(({ field }) => field));
			const kept = new Map(Object.entries(Object(fitted.data["raw"])));
			for (const [key, before] of Object.entries(raw)) {
				if (!cut.has(`raw.${key}`)) expect(kept.get(key)).toEqual(before);
				else if (typeof before === "string") expect(before.toWellFormed()).toStartWith(String(kept.get(key)).replace(/\ufffd$/, ""));
			}
		}),
	);
});
