import { mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, join, resolve } from "node:path";

/** Where the sources are and where the objects go, from the root of the repository. */
const root = resolve(import.meta.dir, "..");
const sources = join(root, "bpf");
const output = join(root, "build/bpf");

/** BPF code knows no architecture and the structures have explicit padding: one object serves all. */
const architectures = ["x64", "arm64"] as const;

const flags = ["-O2", "-g", "-target", "bpf", "-mcpu=v2", "-Wall", "-Wextra", "-Wno-unused-parameter", "-Wno-missing-field-initializers", "-Werror"];

/** Bytes of one object with its BTF, without debug information. More means that the strip did not happen. */
const objectBytesMax = 128 * 1024;

/**
 * Compiles every bpf/<name>.bpf.c into build/bpf/<architecture>/<name>.bpf.o, where a source is newer than its object or `force` says so.
 * Returns the names. Needs clang and llvm-strip. Throws Error with the compiler's words.
 */
export async function buildBpf(force = false): Promise<string[]> {
	const names = readdirSync(sources)
		.filter((file) => file.endsWith(".bpf.c"))
		.map((file) => basename(file, ".bpf.c"))
		.sort();
	if (names.length === 0) throw new Error(`No BPF source in ${sources}`);
	const newest = Math.max(...sourceFiles().map((file) => statSync(file).mtimeMs));
	await Promise.all(names.filter((name) => force || isStale(name, newest)).map(compile));
	return names;
}

/** Path of a built object. */
export function bpfObjectPath(name: string, architecture: (typeof architectures)[number] = "x64"): string {
	return join(output, architecture, `${name}.bpf.o`);
}

function sourceFiles(): string[] {
	const headers = readdirSync(join(sources, "include")).map((file) => join(sources, "include", file));
	const programs = readdirSync(sources).filter((file) => /\.(c|h)$/.test(file));
	return [...headers, ...programs.map((file) => join(sources, file))];
}

function isStale(name: string, newestSource: number): boolean {
	return architectures.some((architecture) => {
		const status = statSync(bpfObjectPath(name, architecture), { throwIfNoEntry: false });
		return status === undefined || status.mtimeMs < newestSource;
	});
}

async function compile(name: string): Promise<void> {
	for (const architecture of architectures) mkdirSync(join(output, architecture), { recursive: true });
	// Built beside its place and moved there, so that nobody reads half an object.
	const temporary = join(output, `.${name}.${process.pid}.o`);
	await run(["clang", ...flags, "-I", sources, "-c", join(sources, `${name}.bpf.c`), "-o", temporary]);
	await run(["llvm-strip", "-g", temporary]);
	const { size } = statSync(temporary);
	if (size > objectBytesMax) throw new Error(`${name}.bpf.o has ${size} bytes, at most ${objectBytesMax} are expected`);
	for (const architecture of architectures) {
		const copy = `${temporary}.${architecture}`;
		await Bun.write(copy, Bun.file(temporary));
		renameSync(copy, bpfObjectPath(name, architecture));
	}
	rmSync(temporary);
}

async function run(command: readonly string[]): Promise<void> {
	const child = Bun.spawn([...command], { stdout: "inherit", stderr: "pipe", cwd: root });
	const text = await new Response(child.stderr).text();
	if ((await child.exited) !== 0) throw new Error(`${command[0]} failed:\n${text}`);
}

if (import.meta.main) {
	const names = await buildBpf(process.argv.includes("--force"));
	process.stdout.write(`bpf: ${names.join(", ")}\n`);
}
