import { expect, test } from "bun:test";
import fc from "fast-check";
import { encodeToken } from "./token.ts";

test("encodeToken() keeps plain names and makes one token of every other", () => {
	expect(encodeToken("node-7_A")).toBe("node-7_A");
	expect(encodeToken("ip-10-0-0-1.eu-west-1")).toBe("ip-10-0-0-1%2Eeu-west-1");
	expect(encodeToken("a b*c>d%é")).toBe("a%20b%2Ac%3Ed%25%C3%A9");
	expect(encodeToken("")).toBe("");
});

test("encodeToken() gives different tokens for different texts, each decodable", () => {
	fc.assert(
		fc.property(fc.string({ unit: "grapheme" }), (text) => {
			const token = encodeToken(text);
			expect(token).toMatch(/^[A-Za-z0-9_%-]*$/);
			expect(decodeURIComponent(token)).toBe(text);
		}),
	);
});
