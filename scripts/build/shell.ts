import { OperatingError } from "../../src/base/errors.ts";
/** Prints a line of progress. */
export function say(text: string): void {
	process.stdout.write(`${text}\n`);
}

/** Runs a program to its end and returns what it printed. Throws OperatingError "build_program" with its standard error where it fails or is not installed. */
export async function run(command: readonly string[], options: { readonly cwd?: string } = {}): Promise<string> {
	const child = Bun.spawn([...command], { stdout: "pipe", stderr: "pipe", stdin: "ignore", ...options });
	const [output, errors, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
	if (code !== 0)
		throw new OperatingError(
			"build_program",
			`${command.join(" ")} ended with ${code}: ${errors.trim().split("\n").slice(-5).join("; ") || output.trim()}`,
		);
	return output;
}
