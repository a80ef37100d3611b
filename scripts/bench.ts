/**
 * `bun run bench [--json] [PART OF A NAME ...]`: every benchmark of test/bench, or those whose file name holds one of the arguments, one at a time,
 * each in a process of its own, and their results as one table with the machine stated. The status is 1 where one failed or none ran.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { cpus, release, tmpdir, totalmem } from "node:os";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import type { BenchRow } from "../test/bench/row.ts";
import { bold, dim, indent, red } from "./terminal.ts";

const folder = join(import.meta.dir, "../test/bench");
/** Seconds after which a benchmark is stopped and has failed. */
const benchSecondsMax = 600;

const { values, positionals } = parseArgs({
	allowPositionals: true,
	options: { json: { type: "boolean", default: false }, run: { type: "string" }, output: { type: "string" } },
});
/** The part of a process of its own: runs one benchmark and leaves its rows in a file, so that it may print what it likes. */
async function runOne(path: string, output: string): Promise<void> {
	const { bench }: { bench: () => Promise<BenchRow[]> } = await import(path);
	await Bun.write(output, JSON.stringify(await bench()));
	// A benchmark that left a thread or a socket behind does not keep the others waiting.
	process.exit(0);
}

async function runAll(): Promise<number> {
	const paths = findBenches();
	if (paths.length === 0) process.stderr.write(`${red("✗")} No benchmark has ${positionals.join(" or ")} in its name\n`);
	if (paths.length === 0) return 1;
	const temporary = mkdtempSync(join(tmpdir(), "tapio-bench-"));
	process.on("exit", () => rmSync(temporary, { recursive: true, force: true }));
	const rows: BenchRow[] = [];
	const failures: string[] = [];
	for (const path of paths) {
		if (!values.json) process.stderr.write(dim(`${basename(path)} …\n`));
		const output = join(temporary, `${basename(path)}.json`);
		const child = Bun.spawn([process.execPath, import.meta.path, "--run", path, "--output", output], {
			stdin: "ignore",
			stdout: "pipe",
			stderr: "pipe",
			timeout: benchSecondsMax * 1000,
		});
		const [text, errors, code] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text(), child.exited]);
		if (code === 0) rows.push(...JSON.parse(readFileSync(output, "utf8")));
		else failures.push(`${basename(path)} ended with ${child.signalCode ?? code}\n${indent((text + errors).trimEnd())}`);
	}
	if (values.json) process.stdout.write(`${JSON.stringify({ machine: machine(), rows, failures }, undefined, "\t")}\n`);
	else process.stdout.write(`${describeMachine()}\n\n${table(rows)}\n`);
	for (const failure of failures) process.stderr.write(`${red("✗")} ${failure}\n`);
	return rows.length > 0 && failures.length === 0 ? 0 : 1;
}

/** The files that have a benchmark; others in the folder are their helpers. */
function findBenches(): string[] {
	const files = [...new Bun.Glob("*.ts").scanSync({ cwd: folder })].sort();
	const wanted = files.filter((file) => positionals.length === 0 || positionals.some((part) => file.includes(part)));
	const paths = wanted.map((file) => join(folder, file));
	return paths.filter((path) => /^export (async )?function bench\(/m.test(readFileSync(path, "utf8")));
}

function machine() {
	const processors = cpus();
	return {
		cpu: processors[0]?.model ?? "unknown",
		cores: processors.length,
		memoryGiB: Math.round(totalmem() / 2 ** 30),
		kernel: release(),
		arch: process.arch,
		bun: Bun.version,
	};
}

function describeMachine(): string {
	const { cpu, cores, memoryGiB, kernel, arch, bun } = machine();
	return `${bold("Machine")}  ${cpu}, ${cores} cores, ${memoryGiB} GiB, ${arch}, Linux ${kernel}, Bun ${bun}`;
}

const columns: readonly { readonly title: string; readonly left?: boolean; readonly cell: (row: BenchRow) => string }[] = [
	{ title: "what", left: true, cell: ({ name }) => name },
	{ title: "CPU-s per million", cell: ({ cpuSecondsPerMillion }) => significant(cpuSecondsPerMillion) },
	{ title: "ratio", cell: ({ ratio }) => (ratio === undefined ? "" : ratio.toFixed(2)) },
	{ title: "RSS MiB", cell: ({ rssMb }) => (rssMb === undefined ? "" : rssMb.toFixed(0)) },
	{ title: "lost", cell: ({ lost }) => (lost === undefined ? "" : String(lost)) },
	{ title: "note", left: true, cell: ({ note }) => note },
];

function table(rows: readonly BenchRow[]): string {
	const cells = rows.map((row) => columns.map(({ cell }) => cell(row)));
	const widths = columns.map(({ title }, column) => Math.max(title.length, ...cells.map((row) => row[column]?.length ?? 0)));
	const line = (texts: readonly string[]) =>
		texts.map((text, column) => (columns[column]?.left ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0))).join("  ");
	return [bold(line(columns.map(({ title }) => title)).trimEnd()), ...cells.map((row) => line(row).trimEnd())].join("\n");
}

/** Three significant digits without an exponent: 0.0713, 5.80, 25.7. */
function significant(value: number): string {
	return value >= 100 ? value.toFixed(0) : value.toFixed(Math.max(0, Math.min(4, 2 - Math.floor(Math.log10(Math.max(value, 1e-4))))));
}

// Last, so that everything above is defined.
if (values.run !== undefined && values.output !== undefined) {
	await runOne(values.run, values.output);
} else {
	process.exitCode = await runAll();
}
