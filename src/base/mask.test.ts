import { expect, test } from "bun:test";
import fc from "fast-check";
import { maskSecrets, maskUrl } from "./mask.ts";

test("maskUrl() takes the whole user part away", () => {
	expect(maskUrl("nats://user:secret@host:4222")).toBe("nats://***@host:4222");
	expect(maskUrl("nats://token@host:4222")).toBe("nats://***@host:4222");
	expect(maskUrl("user:secret@host:4222")).toBe("***@host:4222");
	expect(maskUrl("nats://host:4222")).toBe("nats://host:4222");
	expect(maskUrl("host:4222")).toBe("host:4222");
});

test("maskUrl() is not misled by @, / or a comma inside a password", () => {
	expect(maskUrl("nats://user:se@cr/et,x@host:4222")).toBe("nats://***@host:4222");
	expect(maskUrl("nats://a:b@one,nats://c:d@two")).toBe("nats://***@one,nats://***@two");
});

test("maskSecrets() masks URLs in any text, and the secrets it is told", () => {
	expect(maskSecrets('Connect to "tls://u:p@h": refused')).toBe('Connect to "tls://***@h": refused');
	expect(maskSecrets("password hunter2 was refused", ["hunter2"])).toBe("password *** was refused");
	expect(maskSecrets("a b c", ["b"])).toBe("a b c");
});

test("maskUrl() never leaves a password of a well-formed URL", () => {
	const word = fc.stringMatching(/^[A-Za-z0-9!$&'()*+;=.~_%-]{6,20}$/);
	fc.assert(
		fc.property(word, word, (user, password) => {
			expect(maskUrl(`nats://${user}:#${password}#@host:4222`)).not.toContain(`#${password}#`);
		}),
	);
});
