import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { OperatingError } from "../../src/base/errors.ts";
import { packageRoot } from "./debian.ts";
import { type ElfFile, readElf } from "./elf.ts";
import type { Libraries, Library } from "./library.ts";
import { muslLibraries } from "./musl.ts";
import { debianArchitecture, type Target } from "./targets.ts";

const packages = ["zlib1g", "libelf1", "libbpf1"];
const sonames = ["libz.so.1", "libelf.so.1", "libbpf.so.1"];

/** No libraries, and the reason that the health of the kernel collector gives. */
export function noLibraries(target: Target): Libraries {
	return { files: [], sources: [], needs: `${target.libc} alone`, absent: `kernel collector: this build for ${target.libc} carries no libbpf` };
}

/** Finds and checks the libraries of a target. Throws OperatingError "build_library" where one would not load on a node of that kind. */
export async function targetLibraries(target: Target): Promise<Libraries> {
	if (target.libc === "musl") return muslLibraries(target);
	const { folder, sources } = await packageRoot(target, packages);
	const files = sonames.map((name) => ({ name, content: new Uint8Array(readFileSync(findLibrary(folder, target, name))) }));
	return { files, sources, needs: `glibc ${checkClosure(target, files)}` };
}

/**
 * Proves that a node with nothing but its C library can load `files` in their order: right machine, every DT_NEEDED is glibc's or was loaded before,
 * every version asked of glibc is one of its public ones. Returns the newest of them. Throws OperatingError "build_library" naming what is wrong.
 */
export function checkClosure(target: Target, files: readonly Library[]): string {
	const { machine, loader } = debianArchitecture[target.arch];
	const node = new Set(["libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", loader]);
	const loaded = new Map<string, ElfFile>();
	let floor = "2.2.5";
	for (const { name, content } of files) {
		const elf = readElf(content);
		if (elf.machine !== machine) throw new OperatingError("build_library", `${name} is for machine ${elf.machine}, ${target.name} is ${machine}`);
		if (elf.soname !== name) throw new OperatingError("build_library", `${name} calls itself ${elf.soname}`);
		const strange = elf.needed.filter((needed) => !node.has(needed) && !loaded.has(needed));
		if (strange.length > 0)
			throw new OperatingError("build_library", `${name} needs ${strange.join(", ")}, which neither the node nor the binary gives`);
		for (const { file, version } of elf.versions) {
			if (!node.has(file)) continue;
			const glibc = /^GLIBC_(\d+(?:\.\d+)+)$/.exec(version)?.[1];
			if (glibc === undefined) throw new OperatingError("build_library", `${name} needs ${version} of ${file}`);
			if (compareVersions(glibc, floor) > 0) floor = glibc;
		}
		loaded.set(name, elf);
	}
	return floor;
}

/** Negative, 0 or positive, as `a` is older than, equal to or newer than `b`. */
export function compareVersions(a: string, b: string): number {
	const [left, right] = [a, b].map((version) => version.split(".").map(Number));
	for (let index = 0; index < 4; index++) {
		const difference = (left?.[index] ?? 0) - (right?.[index] ?? 0);
		if (difference !== 0) return difference;
	}
	return 0;
}

function findLibrary(root: string, target: Target, name: string): string {
	const { triplet } = debianArchitecture[target.arch];
	for (const folder of [`usr/lib/${triplet}`, `lib/${triplet}`]) {
		const path = join(root, folder, name);
		if (existsSync(path)) return path;
	}
	throw new OperatingError("build_library", `${name} is in none of the packages ${packages.join(", ")}`);
}
