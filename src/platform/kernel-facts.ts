import { existsSync } from "node:fs";
import { readTextFile } from "./files.ts";

/** Capabilities that BPF tracing needs; the last stands for all others (include/uapi/linux/capability.h). */
export const capabilityNumbers = { perfmon: 38, bpf: 39, sysAdmin: 21 } as const;

/** The kernel's lockdown, as far as the node says. */
export type Lockdown = "none" | "integrity" | "confidentiality" | "unknown";

/** Which cgroup identifies a container on this node: the unified tree, or one of the hierarchies of version 1. */
export type CgroupHierarchy = "unified" | "memory" | "pids";

/** Where the kernel publishes its own types. */
export const kernelBtfPath = "/sys/kernel/btf/vmlinux";

/** True where the kernel publishes its types under `path`. */
export function hasKernelBtf(path: string = kernelBtfPath): boolean {
	return existsSync(path);
}

/** The random id of this boot; "unknown" where procfs does not say. */
export function readBootId(): string {
	return readTextFile("/proc/sys/kernel/random/boot_id")?.trim() ?? "unknown";
}

/** Effective capabilities of the calling thread, by number; undefined where procfs does not say. */
export function readEffectiveCapabilities(): ReadonlySet<number> | undefined {
	const status = readTextFile("/proc/thread-self/status");
	return status === undefined ? undefined : parseEffectiveCapabilities(status);
}

/** Reads the line CapEff of a status file. Undefined where there is none. */
export function parseEffectiveCapabilities(status: string): ReadonlySet<number> | undefined {
	const digits = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
	if (digits === undefined) return undefined;
	const bits = BigInt(`0x${digits}`);
	const found = new Set<number>();
	for (let number = 0; number < 64; number++) {
		if ((bits >> BigInt(number)) & 1n) found.add(number);
	}
	return found;
}

/** The lockdown mode, "unknown" where securityfs is not mounted. */
export function readLockdown(): Lockdown {
	return parseLockdown(readTextFile("/sys/kernel/security/lockdown") ?? "");
}

/** Reads `none [integrity] confidentiality`. */
export function parseLockdown(text: string): Lockdown {
	const mode = /\[(\w+)\]/.exec(text)?.[1];
	return mode === "none" || mode === "integrity" || mode === "confidentiality" ? mode : "unknown";
}

/** The hierarchy whose ids tell containers apart here. */
export function readCgroupHierarchy(): CgroupHierarchy {
	return parseCgroupHierarchy(readTextFile("/proc/self/cgroup") ?? "");
}

/**
 * Reads a file like /proc/self/cgroup, lines of `number:controllers:path`. Where version 1 has the memory or pids controller, containers are there, and
 * the unified tree beside them, if any, holds nearly everything in its root.
 */
export function parseCgroupHierarchy(text: string): CgroupHierarchy {
	const controllers = new Set(text.split("\n").flatMap((line) => (line.split(":")[1] ?? "").split(",")));
	if (controllers.has("memory")) return "memory";
	return controllers.has("pids") ? "pids" : "unified";
}
