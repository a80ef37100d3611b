import { expect, test } from "bun:test";
import fc from "fast-check";
import { splitArguments } from "./arguments.ts";
import { mayHoldSecret, redactArguments } from "./redact.ts";

/** What a reader sees of a command line. */
function seen(...list: string[]): readonly string[] {
	return (mayHoldSecret(list.join("\0")) ? redactArguments(list) : undefined) ?? list;
}

test("redactArguments() masks what a telling name announces", () => {
	for (const [list, expected] of [
		[
			["db", "--password=hunter2"],
			["db", "--password=***"],
		],
		[
			["db", "--password=with blank"],
			["db", "--password=***"],
		],
		[
			["db", "--db-passwd", "hunter2", "x"],
			["db", "--db-passwd", "***", "x"],
		],
		[
			["db", "-token", "hunter2"],
			["db", "-token", "***"],
		],
		[
			["env", "TOKEN=hunter2", "run"],
			["env", "TOKEN=***", "run"],
		],
		[
			["env", "AWS_SECRET_ACCESS_KEY=hunter2"],
			["env", "AWS_SECRET_ACCESS_KEY=***"],
		],
		[
			["env", "PGPASSWORD=hunter2"],
			["env", "PGPASSWORD=***"],
		],
		[
			["java", "-Dspring.datasource.password=hunter2"],
			["java", "-Dspring.datasource.password=***"],
		],
		[
			["sh", "-c", "export PASSWORD=hunter2; TOKEN='abc' run --api-key xyz -v"],
			["sh", "-c", "export PASSWORD=***; TOKEN='***' run --api-key *** -v"],
		],
		// An argument that begins with a secret's name could be all value, blanks and what follows them included.
		[
			["sh", "-c", "PASSWORD=hunter2 run -v"],
			["sh", "-c", "PASSWORD=***"],
		],
		[
			["curl", "-H", "Authorization: Bearer abc.def"],
			["curl", "-H", "Authorization: Bearer ***"],
		],
		[
			["curl", "-H", "X-Api-Key: abc"],
			["curl", "-H", "X-Api-Key: ***"],
		],
		[
			["curl", "-u", "me:hunter2", "http://h"],
			["curl", "-u", "me:***", "http://h"],
		],
		[
			["curl", '{"password": "hunter2", "a": 1}'],
			["curl", '{"password": "***", "a": 1}'],
		],
		[
			["git", "clone", "https://me:hunter2@host/x?a=b@c"],
			["git", "clone", "https://***@host/x?a=b@c"],
		],
		[
			["x", "nats://token@one:1,nats://u:p@two:2"],
			["x", "nats://***@one:1,nats://***@two:2"],
		],
	] as const) {
		expect(seen(...list)).toEqual(expected);
	}
});

test("redactArguments() leaves alone what is none", () => {
	for (const list of [
		["ssh-keygen", "-t", "ed25519"],
		["passwd", "root"],
		["docker", "login", "--password-stdin", "host"],
		["x", "--token-file", "/run/token", "--secret-name", "db"],
		["x", "--password-file=/run/secret"],
		["x", "--token", "--verbose"],
		["npm", "install", "https://host/@scope/package"],
		["mount", "-u", "name"],
		["grep", "password:", "/etc/x"],
	]) {
		expect(seen(...list)).toEqual(list);
	}
});

test("redactArguments() never keeps a value behind a telling name, whatever it is", () => {
	const value = fc.string({ minLength: 6, maxLength: 40, unit: fc.constantFrom(..."abcXYZ019._~!$%+/@:=-") }).filter((text) => !text.startsWith("-"));
	fc.assert(
		fc.property(fc.constantFrom("password", "TOKEN", "client_secret", "api-key", "Passphrase"), value, (name, secret) => {
			for (const list of [[`--${name}=${secret}`], [`--${name}`, secret], [`${name}=${secret}`]]) {
				expect(
					seen("program", ...list)
						.join(" ")
						.replaceAll(name, ""),
				).not.toContain(secret);
			}
		}),
		{ numRuns: 1000 },
	);
});

test("redactArguments() takes long texts in little time", () => {
	const started = performance.now();
	for (const text of ["a".repeat(512), "-".repeat(512), "password".repeat(64), "http://".repeat(73), "--token ".repeat(64), "a:".repeat(256)]) {
		for (let round = 0; round < 20; round++) redactArguments(["x", text]);
	}
	expect(performance.now() - started).toBeLessThan(2000);
});

test("splitArguments() ends an argument at each NUL", () => {
	expect(splitArguments("a\0b c\0\0")).toEqual(["a", "b c", ""]);
	expect(splitArguments("a\0cut")).toEqual(["a", "cut"]);
	expect(splitArguments("\0")).toEqual([""]);
});
