import { cpSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { OperatingError } from "../../src/base/errors.ts";
import type { EmbeddedManifest } from "../../src/platform/ffi/embedded.ts";
import { readElf } from "./elf.ts";
import type { Libraries } from "./library.ts";
import { inRoot } from "./root.ts";
import type { Target } from "./targets.ts";

/** Threads and the program itself. Every worker is an entry point of its own: only those are found inside a compiled binary. */
export const entrypoints: readonly string[] = [
	"src/main.ts",
	"src/orchestrator/data-worker.ts",
	"src/orchestrator/spool-worker.ts",
	"src/orchestrator/collector-worker.ts",
].map((path) => inRoot(path));

/** e_machine of a BPF object. */
const machineBpf = 247;

/** What `--version` prints, put into the code by the build. */
export interface BuildInfo {
	readonly version: string;
	/** Of the working copy, with "-dirty" where it differs from its commit. */
	readonly commit: string;
	readonly target: string;
}

/** A folder for one build alone, so that two at once do not disturb each other; gone at the end of the scope. */
export function workFolder(target: Target): Disposable & { readonly path: string } {
	const path = inRoot("build", target.name, `work-${process.pid}`);
	mkdirSync(path, { recursive: true });
	return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Lays out, below `work`, the folder that becomes /$bunfs/root/embedded. Returns it and the names of the BPF objects. */
export function stageEmbedded(work: string, target: Target, libraries: Libraries): { readonly folder: string; readonly objects: readonly string[] } {
	const folder = join(work, "embedded");
	mkdirSync(join(folder, "lib"), { recursive: true });
	mkdirSync(join(folder, "bpf"), { recursive: true });
	for (const { name, content } of libraries.files) writeFileSync(join(folder, "lib", name), content);
	const manifest: EmbeddedManifest = {
		target: target.name,
		libraries: libraries.files.map(({ name }) => name),
		needs: libraries.needs,
		sources: libraries.sources,
		...(libraries.absent === undefined ? {} : { absent: libraries.absent }),
	};
	writeFileSync(join(folder, "manifest.json"), JSON.stringify(manifest));
	return { folder, objects: stageObjects(target, join(folder, "bpf")) };
}

function stageObjects(target: Target, folder: string): string[] {
	const source = inRoot("build/bpf", target.arch);
	const objects = existsSync(source) ? readdirSync(source).filter((name) => name.endsWith(".bpf.o")) : [];
	for (const name of objects) cpSync(join(source, name), join(folder, name));
	return objects.sort();
}

/** Refuses BPF objects that are none. Throws OperatingError "build_compile" naming the object. */
export async function checkObjects(folder: string, objects: readonly string[]): Promise<void> {
	for (const name of objects) {
		const { machine, type } = readElf(await Bun.file(join(folder, "bpf", name)).bytes());
		if (machine !== machineBpf || type !== 1) throw new OperatingError("build_compile", `${name} is no BPF object: machine ${machine}, type ${type}`);
	}
}

/** What is compiled into what. */
export interface CompileJob {
	readonly target: Target;
	/** The folder that {@link stageEmbedded} laid out. */
	readonly embedded: string;
	readonly info: BuildInfo;
	/** The program first, then its workers; absolute paths, as is that of the output. */
	readonly entries: readonly string[];
	readonly outfile: string;
}

/** Compiles a binary. Throws OperatingError "build_compile" with the compiler's messages. */
export async function compile({ target, embedded, info, entries, outfile }: CompileJob): Promise<void> {
	mkdirSync(dirname(outfile), { recursive: true });
	// Compiled beside its place and moved there, so that nobody starts half a binary, and one that runs is left alone.
	const temporary = join(dirname(embedded), basename(outfile));
	const result = await Bun.build({
		entrypoints: [...entries],
		target: "bun",
		// Flat: code that is bundled into main.ts finds its workers beside itself, as it does in the working copy.
		naming: { entry: "[name].[ext]" },
		define: {
			TAPIO_VERSION: JSON.stringify(info.version),
			TAPIO_COMMIT: JSON.stringify(info.commit),
			TAPIO_TARGET: JSON.stringify(info.target),
		},
		// Compiled ahead the program starts in 8 ms instead of 25 and idles with 2 to 5 MB less; minified it gains nothing beyond, and its stack
		// traces could not be read.
		bytecode: true,
		format: "esm",
		throw: false,
		compile: {
			target: target.runtime,
			outfile: temporary,
			assets: [embedded],
			// A binary that reads bunfig.toml and .env of its working directory runs whatever stands in them.
			autoloadBunfig: false,
			autoloadDotenv: false,
			autoloadTsconfig: false,
			autoloadPackageJson: false,
		},
	});
	if (!result.success) throw new OperatingError("build_compile", `Compile ${target.name}: ${result.logs.map(String).join("; ")}`);
	renameSync(temporary, outfile);
}
