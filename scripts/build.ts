import { statSync } from "node:fs";
import { relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import manifest from "../package.json" with { type: "json" };
import { describeError, OperatingError } from "../src/base/errors.ts";
import { type BuildInfo, checkObjects, compile, entrypoints, stageEmbedded, workFolder } from "./build/compile.ts";
import { noLibraries, targetLibraries } from "./build/libraries.ts";
import { inRoot, root } from "./build/root.ts";
import { run, say } from "./build/shell.ts";
import { chooseTargets, hostTarget, type Target } from "./build/targets.ts";
import { buildBpf } from "./build-bpf.ts";

const usage = `Builds the agent: dist/tapio-agent for this machine, dist/tapio-agent-<target> for others.

  bun scripts/build.ts [--target NAME]... [--all] [--without-libbpf] [--entry FILE... --outfile FILE]

  --target             one of those that a wrong name lists; this machine's own without it
  --all                every target
  --without-libbpf     for where the libraries cannot be had; the kernel collector then says so
  --entry, --outfile   compile another program with the same content, as the tests do
`;

const { values } = parseArgs({
	options: {
		target: { type: "string", multiple: true, default: [] },
		entry: { type: "string", multiple: true, default: [...entrypoints] },
		outfile: { type: "string" },
		"without-libbpf": { type: "boolean", default: false },
		all: { type: "boolean", default: false },
		help: { type: "boolean", default: false },
	},
});
if (values.help) process.stdout.write(usage);
else await buildAll();

async function buildAll(): Promise<void> {
	try {
		const chosen = chooseTargets(values.target, values.all);
		const commit = await commitOf();
		await buildBpf();
		for (const target of chosen) await build(target, { version: manifest.version, commit, target: target.name });
	} catch (error) {
		if (!(error instanceof OperatingError)) throw error;
		process.stderr.write(`${describeError(error)}\n`);
		process.exitCode = 1;
	}
}

async function build(target: Target, info: BuildInfo): Promise<void> {
	const started = performance.now();
	say(`${target.name}: version ${info.version}, commit ${info.commit}`);
	const libraries = values["without-libbpf"] ? noLibraries(target) : await targetLibraries(target);
	using work = workFolder(target);
	const { folder, objects } = stageEmbedded(work.path, target, libraries);
	await checkObjects(folder, objects);
	const outfile = resolve(values.outfile ?? outputOf(target));
	await compile({ target, embedded: folder, info, entries: values.entry.map((path) => resolve(path)), outfile });
	const libraryBytes = libraries.files.reduce((sum, { content }) => sum + content.length, 0);
	say(`  libraries  ${libraries.absent ?? `${libraries.sources.join(", ")}: needs ${libraries.needs}`}`);
	say(`  programs   ${objects.join(", ")}`);
	const size = `${mebibytes(statSync(outfile).size)}, ${mebibytes(libraryBytes)} of it libraries`;
	say(`  ${relative(process.cwd(), outfile)}  ${size}, ${Math.round(performance.now() - started)} ms`);
}

function outputOf(target: Target): string {
	return inRoot("dist", target.name === hostTarget().name ? "tapio-agent" : `tapio-agent-${target.name}`);
}

function mebibytes(size: number): string {
	return `${(size / 2 ** 20).toFixed(1)} MiB`;
}

/** The commit of the working copy; "unknown" where it is none, as in a source archive. */
async function commitOf(): Promise<string> {
	try {
		const commit = (await run(["git", "rev-parse", "--short=12", "HEAD"], { cwd: root })).trim();
		return (await run(["git", "status", "--porcelain", "--untracked-files=no"], { cwd: root })) === "" ? commit : `${commit}-dirty`;
	} catch {
		// No repository: the archive's name says the version.
		return "unknown";
	}
}
