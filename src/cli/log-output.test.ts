import { expect, test } from "bun:test";
import { manualClock } from "../../test/support/manual-clock.ts";
import { OperatingError } from "../base/errors.ts";
import type { TextOutput } from "../platform/console.ts";
import { logOutput } from "./log-output.ts";

function written(options: Partial<TextOutput> = {}, secrets: readonly string[] = []) {
	const lines: string[] = [];
	const output: TextOutput = { isTerminal: false, colors: false, width: 100, write: (text) => void lines.push(text), ...options };
	return { lines, write: logOutput(output, manualClock(), secrets) };
}

const entry = {
	level: "warn",
	component: "nats",
	message: "Connected.",
	fields: { server: "nats://h:1", reason: "it was so", count: 3, list: ["a"] },
} as const;

test("logOutput() writes logfmt into a pipe", () => {
	const { lines, write } = written();
	write(entry);
	expect(lines).toEqual([
		'time=2026-01-02T03:04:05.000Z level=warn component=nats msg="Connected." server=nats://h:1 reason="it was so" count=3 list=["a"]\n',
	]);
});

test("logOutput() writes for a person on a terminal, in colours where they are wanted", () => {
	const plain = written({ isTerminal: true });
	plain.write(entry);
	expect(plain.lines).toEqual(['03:04:05.000 WARN  nats: Connected. server=nats://h:1 reason="it was so" count=3 list=["a"]\n']);
	const colored = written({ isTerminal: true, colors: true });
	colored.write(entry);
	expect(colored.lines[0]).toContain("\x1b[33mWARN \x1b[0m nats:");
});

test("logOutput() masks credentials in URLs, and secrets wherever they stand", () => {
	for (const isTerminal of [false, true]) {
		const { lines, write } = written({ isTerminal }, ["hunter2-long"]);
		write({ level: "error", component: "c", message: "Refused hunter2-long.", fields: { url: "nats://u:p@h", error: "pass hunter2-long!" } });
		expect(lines.join("")).not.toContain("hunter2");
		expect(lines.join("")).toContain("nats://***@h");
	}
});

test("logOutput() lets no control character reach a terminal or break a line", () => {
	for (const isTerminal of [false, true]) {
		const { lines, write } = written({ isTerminal });
		write({ level: "info", component: "c", message: "M.", fields: { text: "a\n\x1b[2Jb\u202e" } });
		expect(lines[0]?.split("\n").length).toBe(2);
		expect(lines[0]).not.toMatch(/[\x1b\u202e]/);
	}
});

test("logOutput() goes on where nobody reads the log", () => {
	const { write } = written({
		write() {
			throw new OperatingError("output_closed", "Write to the standard output");
		},
	});
	expect(() => write(entry)).not.toThrow();
});
