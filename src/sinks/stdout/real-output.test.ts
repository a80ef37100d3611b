import { expect, test } from "bun:test";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";

const program = join(import.meta.dir, "../../../test/support/stdout-program.ts");
const hostile = join(import.meta.dir, "fixtures/hostile.ndjson");

/** Runs the sink in a process of its own inside a shell's pipeline; `{}` stands for the program. Resolves with both streams. */
async function pipeline(shell: string, environment: Record<string, string> = {}): Promise<{ out: string; report: string }> {
	const command = shell.replace("{}", `"${process.execPath}" "${program}"`).replace("FILE", `"${hostile}"`);
	const child = Bun.spawn(["/bin/sh", "-c", command], {
		env: { PATH: process.env["PATH"] ?? "", TZ: "UTC", ...environment },
		stdout: "pipe",
		stderr: "pipe",
	});
	const [out, report] = await Promise.all([child.stdout.text(), child.stderr.text()]);
	return { out, report };
}

test("createStdoutSink() into a pipe loses nothing, whatever the reader's pace", async () => {
	const { out, report } = await pipeline("{} json primary 400 FILE | (head -c 100000; cat)");
	const { events, statistics } = JSON.parse(report);
	expect(out.split("\n").length - 1).toBe(events * 400);
	expect(statistics).toMatchObject({ batches: 400, events: events * 400, errors: 0 });
	for (const line of out.split("\n").slice(0, events)) expect(() => JSON.parse(line)).not.toThrow();
});

test("createStdoutSink() into a pipe whose reader goes ends with a sentence, not with a signal", async () => {
	const { out, report } = await pipeline("{} json primary 100000 FILE | head -n 2");
	expect(out.split("\n").length - 1).toBe(2);
	expect(JSON.parse(report)).toMatchObject({
		error: "The reader of the output has gone",
		health: { status: "unhealthy", message: "the reader of the output has gone" },
	});
});

test("createStdoutSink() into a file writes no colour, and FORCE_COLOR does", async () => {
	using directory = temporaryDirectory("stdout");
	for (const [environment, colored] of [
		[{}, false],
		[{ FORCE_COLOR: "1" }, true],
		[{ FORCE_COLOR: "1", NO_COLOR: "1" }, false],
	] as const) {
		await pipeline(`{} pretty primary 1 FILE > ${directory.join("out")}`, environment);
		expect(readFileSync(directory.join("out"), "utf8").includes("\x1b[")).toBe(colored);
	}
});

test("createStdoutSink() as a look at the stream delivers on when the disk behind it is full", async () => {
	// /dev/full refuses every write as a full disk does.
	const full = openSync("/dev/full", "w");
	const child = Bun.spawn([process.execPath, program, "json", "look", "3", hostile], { stdout: full, stderr: "pipe" });
	closeSync(full);
	const report = JSON.parse(await child.stderr.text());
	expect(report.error).toBe("");
	expect(report.statistics.batches).toBe(3);
});
