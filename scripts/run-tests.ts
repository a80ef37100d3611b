/**
 * `bun run test [PART OF A PATH ...]`: every test of the project, or those whose path holds one of the arguments. Each room runs in a process of
 * its own, so that one that crashes is named and takes no other along; end-to-end tests run alone. `--check` counts `scripts/check.ts` as a test.
 * The last line is `N passed, N failed, N skipped`; the status is 0 only where something ran and nothing failed.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { bold, dim, green, indent, red, runStep, yellow } from "./terminal.ts";

/** The project, or another one whose tests are to be run: `--root=FOLDER`. */
const root = process.argv.find((argument) => argument.startsWith("--root="))?.slice("--root=".length) ?? join(import.meta.dir, "..");
/** Seconds for one group, and milliseconds for one test that names no deadline of its own. */
const groupSecondsMax = 900;
const testMillisecondsMax = 30_000;

/** Test files that share a process. */
interface Group {
	readonly name: string;
	readonly files: readonly string[];
	/** Nothing else runs beside it: it measures, or starts what others would disturb. */
	readonly alone: boolean;
}

interface Counts {
	passed: number;
	failed: number;
	skipped: number;
}

const reports = mkdtempSync(join(tmpdir(), "tapio-tests-"));
process.on("exit", () => rmSync(reports, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));

const filters = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const total: Counts = { passed: 0, failed: 0, skipped: 0 };

if (process.argv.includes("--check")) await runCheck();
const groups = findGroups();
await runGroups(
	groups.filter(({ alone }) => !alone),
	Math.min(2, availableParallelism()),
);
await runGroups(
	groups.filter(({ alone }) => alone),
	1,
);

if (total.passed + total.failed === 0) {
	console.log(red(`No test ran${filters.length > 0 ? ` for ${filters.join(" ")}` : ""}: that is a failure.`));
	total.failed++;
}
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed === 0 ? 0 : 1);

function findGroups(): Group[] {
	const found = [...new Bun.Glob("{src,test}/**/*.test.ts").scanSync({ cwd: root })].sort();
	const wanted = found.filter((path) => filters.length === 0 || filters.some((filter) => path.includes(filter)));
	const byName = new Map<string, string[]>();
	for (const path of wanted) byName.set(groupName(path), [...(byName.get(groupName(path)) ?? []), path]);
	return [...byName].map(([name, files]) => ({ name, files, alone: name.startsWith("test/e2e/") }));
}

/** The room of a test: a folder of src, a collector's or a sink's own folder, a folder of test, or the file of an end-to-end test. */
function groupName(path: string): string {
	if (path.startsWith("test/e2e/")) return path;
	const parts = path.split("/");
	const deep = parts[1] === "collectors" || parts[1] === "sinks" || parts[1] === "dataflow";
	return parts.slice(0, Math.min(deep ? 3 : 2, parts.length - 1)).join("/");
}

async function runGroups(list: readonly Group[], together: number): Promise<void> {
	const waiting = [...list];
	const lane = async () => {
		for (let group = waiting.shift(); group !== undefined; group = waiting.shift()) await runGroup(group);
	};
	await Promise.all(Array.from({ length: together }, lane));
}

async function runGroup({ name, files }: Group): Promise<void> {
	const report = join(reports, `${name.replaceAll("/", "-")}.xml`);
	const flags = ["--no-orphans", `--timeout=${testMillisecondsMax}`, "--reporter=junit", `--reporter-outfile=${report}`];
	const command = [process.execPath, "test", ...flags, ...files.map((file) => `./${file}`)];
	const { ok, output, seconds } = await runStep({ name, command }, root, groupSecondsMax, false);
	const counts = readReport(report);
	const problems: string[] = [];
	// A process that ended badly while every test it reported passed: a crash, or a file that did not load.
	if (!ok && counts.failed === 0) problems.push("the process ended with an error outside a test");
	if (ok && counts.passed + counts.failed + counts.skipped === 0) problems.push("no test ran");
	counts.failed += problems.length;
	add(name, counts, seconds);
	for (const line of output.split("\n")) if (line.startsWith("skipped: ")) console.log(indent(yellow(line)));
	if (counts.failed > 0) console.log(quote([...problems, output].join("\n")));
}

/** The counts of a JUnit report; zeros where there is none, because the process died before it wrote one. */
function readReport(path: string): Counts {
	let text: string;
	try {
		text = readFileSync(path, "utf8");
	} catch {
		return { passed: 0, failed: 0, skipped: 0 };
	}
	const head = /<testsuites [^>]*>/.exec(text)?.[0] ?? "";
	const number = (name: string) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1] ?? 0);
	const [tests, failed, skipped] = [number("tests"), number("failures") + number("errors"), number("skipped")];
	return { passed: tests - failed - skipped, failed, skipped };
}

async function runCheck(): Promise<void> {
	const { ok, output, seconds } = await runStep(
		{ name: "check", command: [process.execPath, join(root, "scripts/check.ts"), "--without-tests"] },
		root,
		groupSecondsMax,
	);
	add("scripts/check.ts", { passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 }, seconds);
	console.log(quote(output));
}

function add(name: string, { passed, failed, skipped }: Counts, seconds: number): void {
	total.passed += passed;
	total.failed += failed;
	total.skipped += skipped;
	const parts = [`${passed} ok`, failed > 0 ? red(`${failed} bad`) : "", skipped > 0 ? yellow(`${skipped} left out`) : ""].filter(
		(part) => part !== "",
	);
	console.log(`${failed > 0 ? red("✗") : green("✓")} ${bold(name.padEnd(34))} ${parts.join(", ")} ${dim(`${seconds.toFixed(1)} s`)}`);
}

/** Output of a program, marked as such, without the runner's own lines for what passed and its closing summary. */
function quote(output: string): string {
	const noise =
		/^(?:\x1b\[[\d;]*m|\s)*(?:\(pass\)|✓ .*\[[\d.]+m?s\]|\d+ (?:pass|fail|skip|todo|snapshots?|expect\(\) calls|tests? failed|tests? skipped|errors?)\b|Ran \d+ tests?\b|bun test v)/;
	const lines = output.split("\n").filter((line) => !noise.test(line));
	return lines
		.join("\n")
		.replace(/\n{3,}/g, "\n\n")
		.trim()
		.replace(/^/gm, dim("│ "));
}
