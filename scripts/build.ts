import { existsSync, statSync } from "node:fs";
import { parseArgs } from "node:util";
import manifest from "../package.json" with { type: "json" };
import { type BuildInfo, checkObjects, compile, entrypoints, stageEmbedded } from "./build/compile.ts";
import { noLibraries, targetLibraries } from "./build/libraries.ts";
import { run, say } from "./build/shell.ts";
import { chooseTargets, hostTarget, type Target } from "./build/targets.ts";

const usage = `Builds the agent: dist/tapio-agent for this machine, dist/tapio-agent-<target> for others.

  bun scripts/build.ts [--target NAME]... [--all] [--without-libbpf] [--entry FILE --outfile FILE]

  --without-libbpf builds where the libraries cannot be had; the kernel collector then says so.
  --entry and --outfile compile another program with the same content, as the tests do.
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
if (values.help) {
	process.stdout.write(usage);
	process.exit(0);
}
const chosen = chooseTargets(values.target, values.all);
const commit = await commitOf();
if (existsSync("scripts/build-bpf.ts")) await run([process.execPath, "scripts/build-bpf.ts"]);
for (const target of chosen) await build(target, { version: manifest.version, commit, target: target.name });

async function build(target: Target, info: BuildInfo): Promise<void> {
	const started = performance.now();
	say(`${target.name}: version ${info.version}, commit ${info.commit}`);
	const libraries = values["without-libbpf"] ? noLibraries(target) : await targetLibraries(target);
	const { folder, objects } = stageEmbedded(target, libraries);
	await checkObjects(folder, objects);
	const outfile = values.outfile ?? outputOf(target);
	await compile({ target, embedded: folder, info, entries: values.entry, outfile });
	say(`  libraries  ${libraries.absent ?? `${libraries.sources.join(", ")}: needs ${libraries.needs}`}`);
	say(`  programs   ${objects.length === 0 ? "none" : objects.join(", ")}`);
	const embeddedBytes = libraries.files.reduce((sum, { content }) => sum + content.length, 0);
	say(
		`  ${outfile}  ${mebibytes(statSync(outfile).size)}, ${mebibytes(embeddedBytes)} of it libraries, ${Math.round(performance.now() - started)} ms`,
	);
}

function outputOf(target: Target): string {
	return target.name === hostTarget().name ? "dist/tapio-agent" : `dist/tapio-agent-${target.name}`;
}

function mebibytes(size: number): string {
	return `${(size / 2 ** 20).toFixed(1)} MiB`;
}

/** The commit of the working copy; "unknown" where it is none, as in a source archive. */
async function commitOf(): Promise<string> {
	try {
		const commit = (await run(["git", "rev-parse", "--short=12", "HEAD"])).trim();
		return (await run(["git", "status", "--porcelain", "--untracked-files=no"])) === "" ? commit : `${commit}-dirty`;
	} catch {
		// No repository: the archive's name says the version.
		return "unknown";
	}
}
