import { expect, test } from "bun:test";
import { join } from "node:path";

const program = `
import { processTerminal } from ${JSON.stringify(join(import.meta.dir, "console.ts"))};
const { out, error } = processTerminal(process.env);
try {
	out.write("x".repeat(1_000_000));
	error.write(JSON.stringify({ isTerminal: out.isTerminal, colors: out.colors, width: out.width }));
} catch (failure) {
	error.write(failure.code);
}
`;

/** Runs the program with its output going to `reader`. */
async function run(reader: string): Promise<{ out: string; error: string }> {
	const env = { PATH: process.env["PATH"] ?? "", BUN: process.execPath, PROGRAM: program };
	const child = Bun.spawn(["bash", "-c", `"$BUN" -e "$PROGRAM" | ${reader}`], { env, stdout: "pipe", stderr: "pipe" });
	const [out, error] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
	return { out, error };
}

test("processTerminal() writes all of a text into a pipe that is fuller than it takes at once", async () => {
	const { out, error } = await run("wc -c");
	expect(Number(out)).toBe(1_000_000);
	expect(JSON.parse(error)).toEqual({ isTerminal: false, colors: false, width: 100 });
});

test("processTerminal() writes all into a pipe that somebody made non-blocking", async () => {
	// Perl is on every Debian; the flag stays with the pipe across exec.
	const script = "use Fcntl; fcntl(STDOUT, F_SETFL, O_NONBLOCK) or die; exec @ARGV";
	const env = { PATH: process.env["PATH"] ?? "" };
	const child = Bun.spawn(["perl", "-e", script, process.execPath, "-e", program], { env, stdout: "pipe", stderr: "pipe" });
	expect((await child.stdout.text()).length).toBe(1_000_000);
});

test("processTerminal() names a reader that has gone", async () => {
	expect((await run("true")).error).toBe("output_closed");
});
