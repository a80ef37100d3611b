import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { basename, join } from "node:path";
import { OperatingError } from "../../src/base/errors.ts";
import { packageRoot, sourcePackages } from "./debian.ts";
import { readElf } from "./elf.ts";
import type { Libraries } from "./library.ts";
import { inRoot } from "./root.ts";
import { run, say } from "./shell.ts";
import { debianArchitecture, hostTarget, type Target } from "./targets.ts";

/** The C library and the kernel's headers, in the architecture of the target. */
const headerPackages = ["musl", "musl-dev", "linux-libc-dev"];

/** Parts of zlib that inflate, deflate and read gzip files: libelf and libbpf use no others. */
const zlibParts = [
	"adler32",
	"compress",
	"crc32",
	"deflate",
	"gzclose",
	"gzlib",
	"gzread",
	"gzwrite",
	"inffast",
	"inflate",
	"inftrees",
	"trees",
	"uncompr",
	"zutil",
];

/** What elfutils' configure would find on musl, as far as libelf asks. */
const elfutilsConfig = `#pragma once
#define PACKAGE_NAME "elfutils"
#define PACKAGE_VERSION "libelf"
#define HAVE_DECL_MEMRCHR 1
#define HAVE_DECL_MEMPCPY 1
#define HAVE_DECL_POWEROF2 1
#define HAVE_DECL_REALLOCARRAY 1
#define HAVE_GCC_STRUCT 1
#define HAVE_VISIBILITY 1
#define HAVE_FALLTHROUGH 1
#define HAVE_ERR_H 1
#define _GNU_SOURCE 1
#define _FILE_OFFSET_BITS 64
#include <eu-config.h>
`;

/** One group of sources and how it is compiled. */
interface Part {
	readonly name: string;
	readonly files: readonly string[];
	readonly flags: readonly string[];
}

/**
 * Debian has no libbpf for musl, so it is compiled from Debian's sources by clang: zlib, libelf and libbpf as one shared library, which needs
 * nothing but the C library. The result is kept in build/. Throws OperatingError "build_library" where a tool or a source is missing.
 */
export async function muslLibraries(target: Target): Promise<Libraries> {
	const { folder: source, sources } = await sourcePackages(["zlib", "elfutils", "libbpf"]);
	const { folder: root } = await packageRoot(target, headerPackages);
	const { clang: triplet } = debianArchitecture[target.arch];
	const libc = join(root, "lib", triplet);
	const output = inRoot("build", target.name, "libbpf.so.1");
	if (!existsSync(output)) await buildLibrary({ target, source, root, libc, output });
	const content = new Uint8Array(readFileSync(output));
	checkMusl(target, content, new Uint8Array(readFileSync(join(libc, "libc.so"))));
	return { files: [{ name: "libbpf.so.1", content }], sources, needs: "musl 1.2" };
}

/**
 * Proves that musl alone can load the library: right machine and name, nothing needed but the C library, and every symbol that it leaves open is one
 * of the C library's. Throws OperatingError "build_library" naming what is wrong.
 */
export function checkMusl(target: Target, content: Uint8Array, libc: Uint8Array): void {
	const elf = readElf(content);
	const { machine } = debianArchitecture[target.arch];
	if (elf.machine !== machine || elf.soname !== "libbpf.so.1")
		throw new OperatingError("build_library", `The library is ${elf.soname} for machine ${elf.machine}`);
	// musl's loader takes every name that begins so for itself.
	const strange = elf.needed.filter((needed) => !needed.startsWith("libc."));
	if (strange.length > 0) throw new OperatingError("build_library", `libbpf.so.1 needs ${strange.join(", ")}`);
	const known = new Set(readElf(libc).definedSymbols);
	const open = elf.undefinedSymbols.filter((symbol) => !known.has(symbol));
	if (open.length > 0) throw new OperatingError("build_library", `libbpf.so.1 needs ${open.join(", ")}, which musl does not have`);
	if (!elf.definedSymbols.includes("bpf_object__load")) throw new OperatingError("build_library", "libbpf.so.1 has no bpf_object__load");
}

interface LibraryJob {
	readonly target: Target;
	/** Holds one folder per source package. */
	readonly source: string;
	/** The root with the headers of the target. */
	readonly root: string;
	/** The folder of the target's libc.so. */
	readonly libc: string;
	readonly output: string;
}

async function buildLibrary({ target, source, root, libc, output }: LibraryJob): Promise<void> {
	say(`  compiling zlib, libelf and libbpf for ${target.name}`);
	const folder = inRoot("build", target.name, "objects");
	rmSync(folder, { recursive: true, force: true });
	mkdirSync(folder, { recursive: true });
	writeFileSync(join(folder, "config.h"), elfutilsConfig);
	const { clang: triplet, triplet: gnuTriplet } = debianArchitecture[target.arch];
	const compiler = (await run(["clang", "-print-resource-dir"])).trim();
	const headers = [join(compiler, "include"), join(root, "usr/include", triplet), join(root, "usr/include"), join(root, "usr/include", gnuTriplet)];
	const common = [`--target=${triplet}`, "-nostdinc", ...headers.flatMap((path) => ["-isystem", path]), "-O2", "-fPIC", "-fvisibility=hidden", "-w"];
	const jobs = parts(source, folder).flatMap(({ name, files, flags }) =>
		files.map((file) => ["clang", ...common, ...flags, "-c", file, "-o", join(folder, `${name}-${basename(file, ".c")}.o`)]),
	);
	await runTogether(jobs);
	const objects = readdirSync(folder).filter((file) => file.endsWith(".o"));
	const link = [
		"-soname,libbpf.so.1",
		`--version-script=${source}/libbpf/src/libbpf.map`,
		"--gc-sections",
		"-z,relro,-z,now",
		"--no-undefined",
		"--strip-debug",
	];
	const linker = target.arch === process.arch ? [] : [`--ld-path=${await foreignLinker()}`];
	await run(
		[
			...["clang", `--target=${triplet}`, ...linker, "-nostdlib", "-shared", ...link.map((flag) => `-Wl,${flag}`)],
			...["-o", "linked", ...objects, "-L", libc, "-lc"],
		],
		{ cwd: folder },
	);
	renameSync(join(folder, "linked"), output);
}

function parts(source: string, folder: string): Part[] {
	const sources = (path: string) =>
		readdirSync(join(source, path))
			.filter((file) => file.endsWith(".c"))
			.map((file) => join(source, path, file));
	const include = (...paths: string[]) => paths.flatMap((path) => ["-I", join(source, path)]);
	const zlib = include("zlib");
	const elf = include("elfutils", "elfutils/lib", "elfutils/libelf");
	return [
		{ name: "zlib", files: zlibParts.map((part) => join(source, "zlib", `${part}.c`)), flags: [...zlib, "-D_GNU_SOURCE", "-DHAVE_UNISTD_H"] },
		{
			name: "libelf",
			files: sources("elfutils/libelf"),
			flags: ["-std=gnu99", "-DHAVE_CONFIG_H", "-I", folder, ...elf, ...zlib, "-include", join(folder, "config.h")],
		},
		{
			name: "libbpf",
			files: sources("libbpf/src"),
			flags: [
				...include("libbpf/include", "libbpf/include/uapi", "libbpf/src", "elfutils/libelf"),
				...zlib,
				"-D_GNU_SOURCE",
				"-D_FILE_OFFSET_BITS=64",
			],
		},
	];
}

/** The linker of LLVM, which knows every architecture; from Debian, in the version of the clang that is installed. */
export async function foreignLinker(): Promise<string> {
	const version = /version (\d+)\./.exec(await run(["clang", "--version"]))?.[1] ?? "14";
	const { folder } = await packageRoot(hostTarget(), [`lld-${version}`]);
	return join(folder, "usr/lib", `llvm-${version}`, "bin/ld.lld");
}

async function runTogether(commands: readonly (readonly string[])[]): Promise<void> {
	const waiting = [...commands];
	const lane = async () => {
		for (let command = waiting.shift(); command !== undefined; command = waiting.shift()) await run(command);
	};
	await Promise.all(Array.from({ length: cpus().length }, lane));
}
