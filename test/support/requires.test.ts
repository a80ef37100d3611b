import { expect, test } from "bun:test";
import { join } from "node:path";
import { temporaryDirectory } from "./temporary-directory.ts";

/** Runs a test file that needs something impossible, and returns what became of it. */
async function runNeeding(environment: Record<string, string>): Promise<{ code: number; output: string }> {
	using directory = temporaryDirectory("requires");
	const file = directory.join("needing.test.ts");
	const requires = join(import.meta.dir, "requires.ts");
	// With an empty PATH no program is found.
	await Bun.write(file, `import { testNeeding } from ${JSON.stringify(requires)};\ntestNeeding("nats", "a() talks", () => {});\n`);
	const child = Bun.spawn([process.execPath, "test", file], {
		env: { PATH: "", ...environment },
		cwd: directory.path,
		stdout: "pipe",
		stderr: "pipe",
	});
	const [code, out, errors] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
	return { code, output: out + errors };
}

test("testNeeding() skips with the reason where the machine lacks something", async () => {
	const { code, output } = await runNeeding({ CI: "false" });
	expect(output).toContain("skipped: a() talks: nats-server is not installed");
	expect(output).toContain(" 1 skip");
	expect(code).toBe(0);
});

test("testNeeding() fails with CI=true instead of skipping", async () => {
	const { code, output } = await runNeeding({ CI: "true" });
	expect(output).toContain("This test must run here, and cannot: nats-server is not installed");
	expect(code).not.toBe(0);
});
