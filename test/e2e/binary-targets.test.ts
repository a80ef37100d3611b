import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type PackageRoot, packageRoot } from "../../scripts/build/debian.ts";
import { readElf } from "../../scripts/build/elf.ts";
import { checkClosure, compareVersions, targetLibraries } from "../../scripts/build/libraries.ts";
import { checkMusl, foreignLinker, muslLibraries } from "../../scripts/build/musl.ts";
import { run } from "../../scripts/build/shell.ts";
import { chooseTargets, debianArchitecture, hostTarget, type Target } from "../../scripts/build/targets.ts";
import { builtProbe } from "../support/built-agent.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/** Room for fetching packages of another architecture and for compiling libbpf, the first time. */
const deadline = 400_000;
const bpfFolder = resolve(import.meta.dir, "../../build/bpf");

test("chooseTargets() knows the machine, every name, and says which there are", () => {
	expect(chooseTargets([], false)).toEqual([hostTarget()]);
	expect(chooseTargets(["bun-linux-arm64"], false).map(({ name }) => name)).toEqual(["linux-arm64"]);
	expect(chooseTargets([], true).length).toBe(5);
	expect(() => chooseTargets(["linux-riscv"], false)).toThrow("one of linux-x64, linux-x64-baseline");
});

test("compareVersions() compares by number, not by text", () => {
	expect(compareVersions("2.9", "2.33")).toBeLessThan(0);
	expect(compareVersions("2.33", "2.33")).toBe(0);
	expect(compareVersions("2.2.5", "2.2")).toBeGreaterThan(0);
});

test("checkClosure() refuses a library of another machine, one in the wrong place and one whose dependency is missing", async () => {
	const { files } = await targetLibraries(hostTarget());
	expect(checkClosure(hostTarget(), files)).toMatch(/^2\.\d+$/);
	const other = chooseTargets([process.arch === "x64" ? "linux-arm64" : "linux-x64"], false)[0] ?? hostTarget();
	expect(() => checkClosure(other, files)).toThrow("is for machine");
	expect(() => checkClosure(hostTarget(), files.slice(1))).toThrow("needs libz.so.1");
	expect(() => checkClosure(hostTarget(), [...files].reverse())).toThrow("neither the node nor the binary gives");
});

test("readElf() refuses what is no ELF file", () => {
	expect(() => readElf(new Uint8Array(64))).toThrow("Not an ELF file");
	expect(() => readElf(new Uint8Array(3))).toThrow("Not an ELF file");
	const small = new Uint8Array(64);
	small.set([0x7f, 0x45, 0x4c, 0x46, 1, 1]);
	expect(() => readElf(small)).toThrow("Not a 64-bit");
});

test(
	"The binary for arm64 loads its libbpf from memory, under an emulated processor",
	async () => {
		const [arm] = chooseTargets(["linux-arm64"], false);
		if (arm === undefined) throw new Error("There is a target for arm64");
		const probe = await builtProbe(arm.name);
		expect(readElf(readFileSync(probe)).machine).toBe(debianArchitecture.arm64.machine);
		const root = await packageRoot(arm, ["libc6"]);
		const command = process.arch === "arm64" ? [probe] : [await emulator(), "-L", root.folder, probe];
		const found = JSON.parse(await run(command));
		expect(found).toMatchObject({ arch: "arm64", manifest: { target: "linux-arm64" } });
		expect(found.libbpf).toMatch(/^1\.\d+$/);
		expect(found.again).toEqual(found.opened);
		expect(found.objects.length).toBeGreaterThan(0);
	},
	deadline,
);

test(
	"openEmbeddedLibraries() names what a build without libbpf lacks",
	async () => {
		const probe = await builtProbe(hostTarget().name, ["--without-libbpf"]);
		const found = JSON.parse(await run([probe]));
		expect(found.opened).toEqual({ absent: "kernel collector: this build for glibc carries no libbpf" });
		expect(found.libbpf).toBeUndefined();
		expect(found.objects.length).toBeGreaterThan(0);
	},
	deadline,
);

for (const name of ["linux-x64-musl", "linux-arm64-musl"]) {
	test(
		`The libbpf of ${name} is loaded from memory by musl's own loader`,
		async () => {
			const [target] = chooseTargets([name], false);
			if (target === undefined) throw new Error(`There is a target ${name}`);
			const { files } = await muslLibraries(target);
			expect(files.map((file) => file.name)).toEqual(["libbpf.so.1"]);
			const root = await packageRoot(target, ["musl", "musl-dev"]);
			const isOwn = target.arch === process.arch;
			using directory = temporaryDirectory("musl");
			const program = await compileLoader(target, root, directory.join("load"));
			const loader = join(root.folder, "lib", debianArchitecture[target.arch].clang, "libc.so");
			const library = directory.join("libbpf.so.1");
			await Bun.write(library, files[0]?.content ?? "");
			const object = join(bpfFolder, target.arch, "exec.bpf.o");
			const output = await run([...(isOwn ? [] : [await emulator()]), loader, program, library, object]);
			expect(output).toMatch(/^version v1\.\d+\nsame 1\nopened 1\n/);
			// An emulated processor has no bpf(2); the machine's own kernel loads the program.
			if (isOwn && process.getuid?.() === 0 && existsSync("/sys/kernel/btf/vmlinux")) expect(output).toEndWith("load 0\n");
		},
		deadline,
	);
}

test(
	"checkMusl() refuses a library that needs more than musl",
	async () => {
		const [target] = chooseTargets(["linux-x64-musl"], false);
		if (target === undefined) throw new Error("There is a target for musl");
		const root = await packageRoot(target, ["musl"]);
		const libc = new Uint8Array(readFileSync(join(root.folder, "lib", debianArchitecture.x64.clang, "libc.so")));
		const { files } = await targetLibraries(chooseTargets(["linux-x64"], false)[0] ?? hostTarget());
		const glibcOne = files.find((file) => file.name === "libbpf.so.1")?.content ?? new Uint8Array();
		expect(() => checkMusl(target, glibcOne, libc)).toThrow("needs libelf.so.1, libz.so.1");
	},
	deadline,
);

/** A processor for arm64 programs. */
async function emulator(): Promise<string> {
	const installed = Bun.which("qemu-aarch64-static");
	if (installed !== null) return installed;
	const { folder } = await packageRoot(hostTarget(), ["qemu-user-static"]);
	return join(folder, "usr/bin/qemu-aarch64-static");
}

/** Compiles the C program that loads a library, for musl. It is started by its loader, so that the machine need not have one. */
async function compileLoader(target: Target, root: PackageRoot, output: string): Promise<string> {
	const { clang: triplet } = debianArchitecture[target.arch];
	const compiler = (await run(["clang", "-print-resource-dir"])).trim();
	const source = resolve(import.meta.dir, "../support/load-libbpf.c");
	const headers = ["-nostdinc", "-isystem", join(compiler, "include"), "-isystem", join(root.folder, "usr/include", triplet)];
	const object = `${output}.o`;
	await run(["clang", `--target=${triplet}`, ...headers, "-fPIE", "-c", source, "-o", object]);
	const linker = target.arch === process.arch ? "ld" : await foreignLinker();
	const start = ["Scrt1.o", "crti.o"].map((name) => join(root.folder, "usr/lib", triplet, name));
	const libc = join(root.folder, "lib", triplet, "libc.so");
	await run([linker, "-pie", "-o", output, "-dynamic-linker", libc, ...start, object, libc, join(root.folder, "usr/lib", triplet, "crtn.o")]);
	return output;
}
