import { test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";

/** What a test may need of the machine: a question each, answered once, with undefined for yes and otherwise what is lacking. */
const needs = {
	/** A kernel that loads BPF programs with type information, and the right to do so. */
	kernel: () => {
		if (process.platform !== "linux") return "this is not Linux";
		if (!existsSync("/sys/kernel/btf/vmlinux")) return "the kernel has no BTF (/sys/kernel/btf/vmlinux)";
		// CAP_BPF is bit 39, CAP_SYS_ADMIN bit 21 of the effective set.
		return hasCapability(39) || hasCapability(21) ? undefined : "the user has no CAP_BPF";
	},
	/** Programs that read and write journals. */
	journal: () => missing("journalctl") ?? missing("/lib/systemd/systemd-journal-remote", "systemd-journal-remote"),
	/** A journald that tests may start for themselves. */
	journald: () => (process.getuid?.() === 0 ? missing("/lib/systemd/systemd-journald", "systemd") : "the user is not root"),
	nats: () => missing("nats-server"),
	root: () => (process.getuid?.() === 0 ? undefined : "the user is not root"),
	/** What builds kernel programs. */
	clang: () => missing("clang"),
	/** A library that gives a process a clock of its own. */
	faketime: () => (clockLibrary() === undefined ? "libfaketime is not installed" : undefined),
	/** What builds small C programs to compare with. */
	gcc: () => missing("gcc"),
} as const;

/** The name of something that a test needs. */
export type Need = keyof typeof needs;

const answers = new Map<Need, string | undefined>();

/** What the machine lacks for `need`, undefined where it has it. */
export function lacking(need: Need): string | undefined {
	if (!answers.has(need)) answers.set(need, needs[need]());
	return answers.get(need);
}

/**
 * A test that needs something of the machine, or several things. Where one is lacking the test is skipped and says why; with CI=true, where
 * everything must be there, it fails instead. `deadline` in milliseconds.
 */
export function testNeeding(need: Need | readonly Need[], name: string, body: () => void | Promise<void>, deadline?: number): void {
	const lacks = (typeof need === "string" ? [need] : need).map(lacking).find((reason) => reason !== undefined);
	if (lacks === undefined) {
		test(name, body, deadline);
	} else if (process.env["CI"] === "true") {
		test(name, () => {
			throw new Error(`This test must run here, and cannot: ${lacks}`);
		});
	} else {
		process.stderr.write(`skipped: ${name}: ${lacks}\n`);
		test.skip(name, body);
	}
}

/** Path of libfaketime; undefined where it is not installed. */
export function clockLibrary(): string | undefined {
	const [path] = new Bun.Glob("*/faketime/libfaketime.so.1").scanSync({ cwd: "/usr/lib", absolute: true });
	return path;
}

function missing(program: string, packageName = program): string | undefined {
	const found = program.startsWith("/") ? existsSync(program) : Bun.which(program) !== null;
	return found ? undefined : `${packageName} is not installed`;
}

function hasCapability(bit: number): boolean {
	const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
	return ((BigInt(`0x${effective}`) >> BigInt(bit)) & 1n) === 1n;
}
