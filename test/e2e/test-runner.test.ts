import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const runner = join(import.meta.dir, "../../scripts/run-tests.ts");
const passing = 'import { test } from "bun:test";\ntest("a() works", () => {});\ntest("b() works", () => {});\n';

/** Runs the runner over a project of these files. */
async function run(files: Readonly<Record<string, string>>, ...args: string[]): Promise<{ code: number; lines: string[]; last: string }> {
	using directory = temporaryDirectory("runner");
	for (const [path, text] of Object.entries(files)) {
		mkdirSync(dirname(directory.join(path)), { recursive: true });
		writeFileSync(directory.join(path), text);
	}
	const child = Bun.spawn([process.execPath, runner, `--root=${directory.path}`, ...args], {
		env: { PATH: process.env["PATH"] ?? "", HOME: directory.path },
		stdout: "pipe",
		stderr: "pipe",
	});
	const [code, output] = await Promise.all([child.exited, child.stdout.text()]);
	const lines = output.trimEnd().split("\n");
	return { code, lines, last: lines.at(-1) ?? "" };
}

test("run-tests counts over rooms and ends with one line", async () => {
	const { code, lines, last } = await run({ "src/base/a.test.ts": passing, "src/sinks/b/b.test.ts": passing, "test/e2e/c.test.ts": passing });
	expect(last).toBe("6 passed, 0 failed, 0 skipped");
	expect(code).toBe(0);
	const rooms = lines.map((line) => /^✓ (\S+)/.exec(line)?.[1]).filter((name) => name !== undefined);
	expect(rooms.sort()).toEqual(["src/base", "src/sinks/b", "test/e2e/c.test.ts"]);
});

test("run-tests shows what failed, and lets no other line look like the last one", async () => {
	const failing =
		'import { expect, test } from "bun:test";\nconsole.log("7 passed, 0 failed, 0 skipped");\ntest("c() works", () => expect(1).toBe(2));\ntest.skip("d() works", () => {});\n';
	const { code, lines, last } = await run({ "src/base/a.test.ts": passing, "src/ring/b.test.ts": failing });
	expect(last).toBe("2 passed, 1 failed, 1 skipped");
	expect(code).toBe(1);
	expect(lines.filter((line) => /^\s*\d+ (?:passed|pass)\b/.test(line))).toEqual([last]);
	expect(lines.some((line) => line.startsWith("│ (fail) c() works"))).toBe(true);
});

test("run-tests counts a process that dies as a failure", async () => {
	const dying = 'import { test } from "bun:test";\ntest("e() works", () => { process.kill(process.pid, "SIGKILL"); });\n';
	const { code, lines, last } = await run({ "src/base/a.test.ts": passing, "src/ring/b.test.ts": dying });
	expect(last).toBe("2 passed, 1 failed, 0 skipped");
	expect(code).toBe(1);
	expect(lines.some((line) => line.includes("Killed by SIGKILL"))).toBe(true);
});

test("run-tests counts a file that does not load as a failure", async () => {
	const { code, last } = await run({ "src/base/a.test.ts": "import { nothing } from './missing.ts';\n" });
	expect(last).toBe("0 passed, 1 failed, 0 skipped");
	expect(code).toBe(1);
});

test("run-tests fails where nothing ran", async () => {
	expect(await run({ "src/base/a.test.ts": passing }, "no-such-part")).toMatchObject({ code: 1, last: "0 passed, 1 failed, 0 skipped" });
	expect(await run({ "src/base/a.ts": "" })).toMatchObject({ code: 1, last: "0 passed, 1 failed, 0 skipped" });
	const empty = await run({ "src/base/a.test.ts": passing, "src/ring/b.test.ts": "export const nothing = 1;\n" });
	expect(empty.code).toBe(1);
	expect(empty.last).toMatch(/^2 passed, 1 failed, 0 skipped$/);
});

test("run-tests runs what an argument names", async () => {
	const { last, code } = await run({ "src/base/a.test.ts": passing, "src/ring/b.test.ts": passing }, "ring");
	expect(last).toBe("2 passed, 0 failed, 0 skipped");
	expect(code).toBe(0);
});
