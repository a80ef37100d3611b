// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these texts are what is tested
import { expect, test } from "bun:test";
import fc from "fast-check";
import { maskSourceLine } from "./mask-source.ts";

const mask = (text: string, index = 0) => maskSourceLine(text.split("\n"), index);

test("maskSourceLine() hides the value of a secret key and keeps the columns", () => {
	expect(mask("  password: hunter2")).toBe("  password: *******");
	expect(mask("  passwrod: a,b # c")).toBe("  passwrod: *** * *");
	expect(mask('nats: { token: "a, }b", url: x }')).toBe("nats: { token: *** ***, url: x }");
	expect(mask("nats: { nkey: pass#word, url: x }")).toBe("nats: { nkey: *********, url: x }");
	expect(mask("nats: { password: [a, b], url: x }")).toBe("nats: { password: *** *** **** * *");
	expect(mask("url: nats://user:secret@host")).toBe("url: nats://***********@host");
	expect(mask('"pass word": x')).toBe('"pass word": x');
	expect(mask("workers: 4")).toBe("workers: 4");
});

test("maskSourceLine() shows the name of a variable, but not its default", () => {
	expect(mask('password: "${NATS_PASS}"')).toBe('password: "${NATS_PASS}"');
	expect(mask('password: "${NATS_PASS:-hunter2}"')).not.toContain("hunter2");
});

test("maskSourceLine() hides what continues a secret in the lines below its key", () => {
	expect(mask("password:\n  - hunter2", 1)).toBe("  * *******");
	expect(mask("password:\n- hunter2", 1)).toBe("* *******");
	expect(mask("a:\n  token: >-\n\n    hunter2\n    more", 4)).toBe("    ****");
	expect(mask("a:\n  token:\n    - b:\n        - hunter2", 3)).toBe("        * *******");
	expect(mask('nats: { token: "a\n  hunter2" }', 1)).toBe("  ******** *");
	expect(mask("a:\n  token: x\n  url: y", 2)).toBe("  url: y");
	expect(mask("token: x\nurl: y", 1)).toBe("url: y");
});

test("maskSourceLine() never changes where anything stands", () => {
	const piece = fc.constantFrom("password", "token", ":", " ", '"', "'", "{", "}", "[", ",", "\n", "  ", "nats://a:b@c", "${X}", "#", "x", "- ");
	fc.assert(
		fc.property(fc.array(piece, { maxLength: 30 }), fc.nat(5), (pieces, index) => {
			const lines = pieces.join("").split("\n");
			expect(maskSourceLine(lines, index)).toHaveLength((lines[index] ?? "").length);
		}),
	);
});
