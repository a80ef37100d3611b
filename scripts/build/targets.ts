import { OperatingError } from "../../src/base/errors.ts";
/** One machine that the agent is built for. */
export interface Target {
	/** As given to --target: "linux-arm64". */
	readonly name: string;
	/** The runtime that Bun fetches from npm. */
	readonly runtime: Bun.Build.CompileTarget;
	/** As `process.arch` says it there. */
	readonly arch: "x64" | "arm64";
	readonly libc: "glibc" | "musl";
}

/** Every target, the common ones first. */
export const targets: readonly Target[] = [
	{ name: "linux-x64", runtime: "bun-linux-x64", arch: "x64", libc: "glibc" },
	{ name: "linux-x64-baseline", runtime: "bun-linux-x64-baseline", arch: "x64", libc: "glibc" },
	{ name: "linux-arm64", runtime: "bun-linux-arm64", arch: "arm64", libc: "glibc" },
	{ name: "linux-x64-musl", runtime: "bun-linux-x64-musl", arch: "x64", libc: "musl" },
	{ name: "linux-arm64-musl", runtime: "bun-linux-arm64-musl", arch: "arm64", libc: "musl" },
];

/** Debian's names of an architecture: of its packages, and of the folders in /usr/lib. */
export const debianArchitecture = {
	x64: { packages: "amd64", triplet: "x86_64-linux-gnu", clang: "x86_64-linux-musl", machine: 62, loader: "ld-linux-x86-64.so.2" },
	arm64: { packages: "arm64", triplet: "aarch64-linux-gnu", clang: "aarch64-linux-musl", machine: 183, loader: "ld-linux-aarch64.so.1" },
} as const;

/** The target of the machine that builds: glibc of its own architecture. */
export function hostTarget(): Target {
	const found = targets.find((target) => target.name === `linux-${process.arch}`);
	if (found === undefined)
		throw new OperatingError("build_target", `No target for ${process.platform}-${process.arch}: build on Linux, x64 or arm64`);
	return found;
}

/** The targets that the command line asks for. Throws OperatingError "build_target" naming the possible ones. */
export function chooseTargets(names: readonly string[], all: boolean): readonly Target[] {
	if (all) return targets;
	if (names.length === 0) return [hostTarget()];
	return names.map((name) => {
		const found = targets.find((target) => target.name === name.replace(/^bun-/, ""));
		if (found === undefined)
			throw new OperatingError("build_target", `Unknown target ${name}: one of ${targets.map((target) => target.name).join(", ")}`);
		return found;
	});
}
