import { existsSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "../..");

/** The compiled agent; built first where it is missing. */
export async function builtAgent(): Promise<string> {
	const path = process.env["TAPIO_AGENT"] ?? join(root, "dist/tapio-agent");
	if (!existsSync(path)) await build([]);
	return path;
}

/** The program that loads what is embedded and prints it, compiled for `target` with the same content as the agent, or as `flags` of the build say. */
export async function builtProbe(target: string, flags: readonly string[] = []): Promise<string> {
	const path = join(root, "build/test", `probe-${target}${flags.join("")}`);
	await build(["--target", target, ...flags, "--entry", "test/support/embedded-probe.ts", "--outfile", path]);
	return path;
}

async function build(args: readonly string[]): Promise<void> {
	const child = Bun.spawn([process.execPath, "scripts/build.ts", ...args], { cwd: root, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
	const [output, errors] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
	if ((await child.exited) !== 0) throw new Error(`The build failed:\n${output}${errors}`);
}
