import { join } from "node:path";

/** Compiles the storm into `folder` and returns its path. Needs clang. Throws Error with the compiler's words. */
export async function compileExecStorm(folder: string): Promise<string> {
	const program = join(folder, "exec-storm");
	await compileC(join(import.meta.dir, "exec-storm.c"), program);
	return program;
}

/** Compiles one C file. Throws Error with the compiler's words. */
export async function compileC(source: string, program: string): Promise<void> {
	const child = Bun.spawn(["clang", "-O2", "-Wall", "-Werror", "-o", program, source], { stderr: "pipe", stdout: "ignore" });
	const text = await child.stderr.text();
	if ((await child.exited) !== 0) throw new Error(`Compile ${source}:\n${text}`);
}

/** What to execute how often. */
export interface StormJob {
	readonly program: string;
	readonly count: number;
	/** Executions at a time. */
	readonly processes: number;
	/** What every execution's argument begins with. */
	readonly marker: string;
}

/** Runs a storm; `meanwhile` is called over and over until it has ended. Returns CPU nanoseconds of the storm. Throws Error where it failed. */
export async function runExecStorm({ program, count, processes, marker }: StormJob, meanwhile: () => void | Promise<void>): Promise<number> {
	const child = Bun.spawn([program, String(count), String(processes), marker], { stdout: "pipe", stderr: "inherit" });
	const output = child.stdout.text();
	while (child.exitCode === null && child.signalCode === null) await meanwhile();
	if ((await child.exited) !== 0) throw new Error(`The storm ended with ${child.exitCode ?? child.signalCode}`);
	return Number(await output);
}
