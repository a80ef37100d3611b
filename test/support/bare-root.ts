import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readElf } from "../../scripts/build/elf.ts";
import { debianArchitecture } from "../../scripts/build/targets.ts";
import type { TemporaryDirectory } from "./temporary-directory.ts";
import { waitUntil } from "./wait-until.ts";

/** What stands in a root that holds nothing but the program. */
export interface BareRootOptions {
	/** Scratch space of the test; the root is mounted below it, in a namespace of its own. */
	readonly directory: TemporaryDirectory;
	/** The program, on this machine. It becomes /agent. */
	readonly program: string;
	/** Shared libraries beside those of the program, by SONAME. All that they need comes along. */
	readonly libraries?: readonly string[];
	/** Files in the root, which is the program's working directory, by name. */
	readonly files?: Readonly<Record<string, string>>;
	readonly args: readonly string[];
}

/** A program that has ended in a bare root. */
export interface BareRootResult {
	readonly code: number;
	readonly stdout: string;
	readonly stderr: string;
	/** Every file of the root before the program ran. */
	readonly before: readonly string[];
	/** Files that the program left behind. */
	readonly written: readonly string[];
}

/** A program that runs in a bare root. */
export interface BareRoot {
	/** What it printed so far. */
	stdout(): string;
	/** Sends SIGTERM to it alone. */
	terminate(): void;
	readonly ended: Promise<BareRootResult>;
}

/**
 * Starts a program in a new root, a memory file system with the program, the C library and its loader, /proc, /sys and /dev, and an empty
 * folder /empty; nothing else of this machine is there. Needs root.
 */
export async function startInBareRoot({ directory, program, libraries = [], files = {}, args }: BareRootOptions): Promise<BareRoot> {
	const path = (name: string) => directory.join(name);
	for (const [name, content] of Object.entries(files)) await Bun.write(join(path("files"), name), content);
	const links = [
		...libraryClosure(readFileSync(program)),
		...libraries.flatMap((name) => [name, ...libraryClosure(readFileSync(findLibrary(name)))]),
	];
	const mounts = [...new Set(links)].map((name) => [findLibrary(name), placeOf(name)] as const);
	await Bun.write(path("script"), rootScript(path("root"), path("files"), program, mounts));
	const child = Bun.spawn(["unshare", "--mount", "--kill-child", "--fork", "sh", path("script"), path("out"), ...args], {
		stdin: "ignore",
		stdout: Bun.file(path("stdout")),
		stderr: Bun.file(path("stderr")),
		env: {},
	});
	const pidFile = path("out.pid");
	await waitUntil("the program has started", () => child.exitCode !== null || (existsSync(pidFile) && readFileSync(pidFile, "utf8").endsWith("\n")));
	const lines = (name: string) =>
		readFileSync(path(name), "utf8")
			.split("\n")
			.filter((line) => line !== "");
	const result = async (): Promise<BareRootResult> => {
		const code = await child.exited;
		const before = existsSync(path("out.before")) ? lines("out.before") : [];
		const known = new Set(before);
		const after = existsSync(path("out.after")) ? lines("out.after") : [];
		const written = after.filter((file) => !known.has(file));
		return { code, stdout: readFileSync(path("stdout"), "utf8"), stderr: readFileSync(path("stderr"), "utf8"), before, written };
	};
	return {
		stdout: () => readFileSync(path("stdout"), "utf8"),
		terminate: () => process.kill(Number(readFileSync(pidFile, "utf8")), "SIGTERM"),
		ended: result(),
	};
}

/** {@link startInBareRoot}, to its end. */
export async function runInBareRoot(options: BareRootOptions): Promise<BareRootResult> {
	const { ended } = await startInBareRoot(options);
	return ended;
}

function rootScript(root: string, files: string, program: string, mounts: readonly (readonly [string, string])[]): string {
	const bind = (source: string, target: string) => [
		`mkdir -p "$(dirname ${root}${target})"`,
		`touch ${root}${target}`,
		`mount --bind ${source} ${root}${target}`,
	];
	return [
		"set -e",
		"out=$1; shift",
		`mkdir -p ${root} ${files}`,
		`mount -t tmpfs bare ${root}`,
		`mkdir ${root}/proc ${root}/sys ${root}/dev ${root}/empty`,
		...["proc", "sys", "dev"].map((name) => `mount --rbind /${name} ${root}/${name}`),
		...bind(program, "/agent"),
		...mounts.flatMap(([source, target]) => bind(source, target)),
		`cp -a ${files}/. ${root}/`,
		`(cd ${root} && find . -xdev | sort) > "$out.before"`,
		`chroot ${root} /agent "$@" & echo $! > "$out.pid"`,
		"code=0; wait $! || code=$?",
		`(cd ${root} && find . -xdev | sort) > "$out.after"`,
		"exit $code",
	].join("\n");
}

/** Everything that an ELF file needs to be loaded, by SONAME, from this machine. */
export function libraryClosure(content: Uint8Array): string[] {
	const found = new Set<string>();
	const waiting = [...readElf(content).needed];
	for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
		if (found.has(name)) continue;
		found.add(name);
		waiting.push(...readElf(readFileSync(findLibrary(name))).needed);
	}
	return [...found];
}

const host = debianArchitecture[process.arch === "arm64" ? "arm64" : "x64"];

/** Where this machine has a library. */
export function findLibrary(name: string): string {
	const folders = [`/lib/${host.triplet}`, `/usr/lib/${host.triplet}`, "/lib64", "/usr/lib64", "/lib", "/usr/lib"];
	const found = folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
	if (found === undefined) throw new Error(`This machine has no ${name}`);
	return found;
}

/** Where the loader looks for it. */
function placeOf(name: string): string {
	return name.startsWith("ld-") ? `${process.arch === "arm64" ? "/lib" : "/lib64"}/${name}` : `/lib/${host.triplet}/${name}`;
}
