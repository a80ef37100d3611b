import { isatty } from "node:tty";

/** Colours for people: on a terminal, or where asked for, and never where NO_COLOR is set. */
const colored = (process.env["NO_COLOR"] ?? "") === "" && ((process.env["FORCE_COLOR"] ?? "0") !== "0" || isatty(1));
const paint = (code: number) => (text: string) => (colored ? `\x1b[${code}m${text}\x1b[0m` : text);

export const bold = paint(1);
export const dim = paint(2);
export const red = paint(31);
export const green = paint(32);
export const yellow = paint(33);

/** How long the output of a program that has ended is waited for. */
const drainMilliseconds = 5000;

/** Something to run, and how to call it. */
export interface Step {
	readonly name: string;
	readonly command: readonly string[];
}

/** What became of a step. */
export interface StepResult {
	readonly ok: boolean;
	/** Both streams of the program, in the order they came. */
	readonly output: string;
	readonly seconds: number;
}

/** Runs steps, at most `together` at once, prints a line for each as it ends, and returns how many failed. */
export async function runAll(steps: readonly Step[], options: { root: string; secondsMax: number; together: number }): Promise<number> {
	const waiting = [...steps];
	let failed = 0;
	const lane = async () => {
		for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
			const { ok, output, seconds } = await runStep(step, options.root, options.secondsMax);
			console.log(`${ok ? green("✓") : red("✗")} ${step.name.padEnd(28)} ${dim(`${seconds.toFixed(1)} s`)}`);
			if (!ok) failed++;
			if (!ok) console.log(indent(output.trim() === "" ? "It ended with an error and said nothing." : output.trimEnd()));
		}
	};
	await Promise.all(Array.from({ length: options.together }, lane));
	return failed;
}

/**
 * Runs one program and gathers what it says. One that takes longer than `secondsMax` is killed and has failed. Its colours are for people who see them
 * here; tests are run without, because they look at what programs print.
 */
export async function runStep(step: Step, root: string, secondsMax: number, colors = colored): Promise<StepResult> {
	const started = performance.now();
	const env = colors ? { ...process.env, FORCE_COLOR: "1" } : process.env;
	// One pipe for both streams keeps their order: the shell joins them.
	const child = Bun.spawn(["/bin/sh", "-c", 'exec "$@" 2>&1', "sh", ...step.command], {
		cwd: root,
		env,
		stdin: "ignore",
		stdout: "pipe",
		stderr: "ignore",
	});
	let late = false;
	const timer = setTimeout(() => {
		late = true;
		child.kill("SIGKILL");
	}, secondsMax * 1000);
	// Read while it runs, or a talkative program would stand still at a full pipe.
	const text = child.stdout.text();
	const code = await child.exited;
	clearTimeout(timer);
	// A daemon left behind may hold the pipe open: what matters has been said by then.
	const output = await Promise.race([text, Bun.sleep(drainMilliseconds).then(() => "(its output is held open by a process that it left behind)\n")]);
	let ending = "";
	if (late) ending = `\nStopped: it took more than ${secondsMax} s`;
	else if (child.signalCode !== null) ending = `\nKilled by ${child.signalCode}`;
	return { ok: code === 0, output: output + ending, seconds: (performance.now() - started) / 1000 };
}

/** Moves text in by four columns, so that it is seen to belong to the line above. */
export function indent(text: string): string {
	return text.replace(/^/gm, "    ");
}
