import { describeError, OperatingError } from "../../base/errors.ts";
import type { BpfSupport } from "../../platform/ffi/bpf-probe.ts";
import {
	capabilityNumbers,
	hasKernelBtf,
	kernelBtfPath,
	type Lockdown,
	readEffectiveCapabilities,
	readLockdown,
} from "../../platform/kernel-facts.ts";

/** EPERM, EINVAL, ENOSYS. */
const notPermitted = 1;
const invalid = 22;
const noSystemCall = 38;

/** What is known of the node before a program is loaded. */
export interface KernelFacts {
	readonly btfPath: string;
	readonly hasBtf: boolean;
	readonly support: BpfSupport;
	/** Effective capabilities of this thread, undefined where unknown. */
	readonly capabilities: ReadonlySet<number> | undefined;
	readonly lockdown: Lockdown;
}

/** Collects the facts; `support` from probeBpf(), on the thread that will load. */
export function readKernelFacts(support: BpfSupport, btfPath: string = kernelBtfPath): KernelFacts {
	return { btfPath, hasBtf: hasKernelBtf(btfPath), support, capabilities: readEffectiveCapabilities(), lockdown: readLockdown() };
}

/** Why no program at all can be loaded here, with the next step; undefined where nothing speaks against it. */
export function kernelObstacle(facts: KernelFacts): OperatingError | undefined {
	const { support } = facts;
	if (support.tracing === noSystemCall) {
		return new OperatingError("bpf_unsupported", "Load a BPF program: this kernel has no BPF", {
			hint: "use a kernel built with CONFIG_BPF_SYSCALL, 5.10 or newer",
		});
	}
	if (support.tracing === notPermitted || support.ring === notPermitted) return notAllowed(facts);
	if (!facts.hasBtf) {
		return new OperatingError("kernel_btf_missing", `Find the kernel's type information at ${facts.btfPath}`, {
			hint: "use a kernel built with CONFIG_DEBUG_INFO_BTF, and mount sysfs where the agent runs in a container",
		});
	}
	if (support.ring === invalid) {
		return new OperatingError("bpf_unsupported", "Create a BPF ring buffer: this kernel has none", { hint: "use Linux 5.10 or newer" });
	}
	if (support.ring !== 0 || support.tracing !== 0) {
		const errno = support.ring === 0 ? support.tracing : support.ring;
		return new OperatingError("bpf_refused", `Load a BPF program: the kernel answers with errno ${errno}`, { errno });
	}
	return undefined;
}

function notAllowed({ capabilities, lockdown }: KernelFacts): OperatingError {
	const message = "Load a BPF program: the kernel does not permit it";
	const missing = missingCapabilities(capabilities);
	if (missing.length > 0) {
		return new OperatingError("bpf_permission", message, { hint: `give the agent ${missing.join(" and ")}, or run it as root` });
	}
	if (lockdown === "confidentiality") {
		return new OperatingError("bpf_lockdown", `${message}: lockdown is "confidentiality"`, { hint: 'boot with lockdown "integrity" or none' });
	}
	return new OperatingError("bpf_permission", message, {
		hint: "the capabilities are there: look for a seccomp filter of the container, a security module, or kernel.unprivileged_bpf_disabled",
	});
}

/** Names of the capabilities that tracing needs and this thread lacks. Empty where they are unknown. */
export function missingCapabilities(capabilities: ReadonlySet<number> | undefined): string[] {
	if (capabilities === undefined || capabilities.has(capabilityNumbers.sysAdmin)) return [];
	const missing: string[] = [];
	if (!capabilities.has(capabilityNumbers.bpf)) missing.push("CAP_BPF");
	if (!capabilities.has(capabilityNumbers.perfmon)) missing.push("CAP_PERFMON");
	return missing;
}

/** Lines of libbpf that a person is shown. */
const logLinesShown = 2;

/** What libbpf and the verifier say around the reason, and never the reason itself. */
const chatter = /LOG --$|^processed \d+ insns|failed to load( object)?\b|^verification time|^stack depth|^\d+: \(|^;/;

/** Why a program did not open, in one line: the error, and what libbpf said. */
export function describeFailure(error: unknown): string {
	const log = error instanceof OperatingError ? error.facts["log"] : undefined;
	const lines = Array.isArray(log) ? log.filter((line): line is string => typeof line === "string") : [];
	const telling = lines.filter((line) => !chatter.test(line));
	const said = (telling.length > 0 ? telling : lines).slice(-logLinesShown);
	return describeError(error) + (said.length === 0 ? "" : ` [${said.join(" | ")}]`);
}
