import { expect, test } from "bun:test";
import fc from "fast-check";
import { parseServerUrl, splitUrls } from "./server-url.ts";

test("parseServerUrl() takes URLs apart", () => {
	expect(parseServerUrl("nats://localhost:4222")).toEqual({
		address: "localhost:4222",
		tls: false,
		user: undefined,
		password: undefined,
		shown: "nats://localhost:4222",
	});
	expect(parseServerUrl("tls://nats.example")).toMatchObject({ address: "nats.example:4222", tls: true });
	expect(parseServerUrl("10.0.0.1")).toMatchObject({ address: "10.0.0.1:4222", tls: false });
	expect(parseServerUrl("nats://[::1]:4223/")).toMatchObject({ address: "[::1]:4223" });
	expect(parseServerUrl("nats://me:p%40ss@h:1")).toMatchObject({ user: "me", password: "p@ss", shown: "nats://***@h:1" });
	expect(parseServerUrl("nats://me:p@s/s:1@h:1")).toMatchObject({ address: "h:1", user: "me", password: "p@s/s:1" });
	expect(parseServerUrl("nats://token@h:1")).toMatchObject({ user: "token", password: undefined });
});

test("parseServerUrl() shows no credentials, neither in what it returns nor in what it throws", () => {
	fc.assert(
		fc.property(fc.stringMatching(/^[!-~]{1,20}$/), fc.constantFrom("host:4222", "host:99999", "ho st", "[::1", "", "a/b"), (noise, host) => {
			const password = `geheim${noise}`;
			try {
				expect(parseServerUrl(`nats://me:${password}@${host}`).shown).not.toContain("geheim");
			} catch (error) {
				expect(String(error)).not.toContain("geheim");
			}
		}),
	);
});

test("parseServerUrl() refuses what it cannot reach", () => {
	for (const url of ["ws://h:1", "http://h:1", "nats://", "nats://h:0", "nats://h:70000", "nats://h:port", "nats://a:b:c"]) {
		expect(() => parseServerUrl(url)).toThrow(/NATS URL/);
	}
});

test("splitUrls() cuts a list, and no password", () => {
	expect(splitUrls("nats://a:1, nats://b:2,tls://c:3")).toEqual(["nats://a:1", "nats://b:2", "tls://c:3"]);
	expect(splitUrls("nats://me:a,b@h:1")).toEqual(["nats://me:a,b@h:1"]);
});
