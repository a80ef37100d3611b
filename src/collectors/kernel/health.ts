import type { Health } from "../../telemetry/health.ts";
import type { KernelConfig } from "./config.ts";
import type { ProgramFailure } from "./program-host.ts";
import type { KernelProgram } from "./programs.ts";

/** What the state of the collector follows from. */
export interface KernelState {
	readonly config: KernelConfig;
	readonly attached: readonly KernelProgram[];
	readonly failures: readonly ProgramFailure[];
	readonly kernelReads: boolean;
	/** Events that the kernel had no room for, since start. */
	readonly lost: number;
	/** Of those some within the last minute. */
	readonly lostRecently: boolean;
}

/** The state in one word and one sentence; everything short of what was asked for is named. */
export function describeHealth(state: KernelState): Health {
	const { config, attached } = state;
	if (!config.enable_ebpf) return { status: "degraded", message: "enable_ebpf is off: no kernel program is loaded and nothing is reported." };
	if (attached.length === 0) return { status: "degraded", message: "Every event is switched off: nothing is reported." };
	const reads = `Reports process ${attached.map(({ event }) => event).join(", ")}`;
	const short = shortcomings(state);
	if (short.length === 0) return { status: "healthy", message: `${reads}.` };
	return { status: "degraded", message: `${reads}. ${short.join(" ")}` };
}

function shortcomings({ config, failures, kernelReads, lost, lostRecently }: KernelState): string[] {
	const short = failures.map(({ program, reason }) => `Process ${program.event} is missing: ${reason}.`);
	if (!kernelReads) short.push("Lockdown forbids reading kernel memory: interpreters of scripts and pids inside containers are missing.");
	for (const key of ["monitor_configmaps", "monitor_secrets"] as const) {
		if (config[key]) short.push(`${key} is on, and this build has no program for it.`);
	}
	if (lostRecently) short.push(`The kernel's ring was full, ${lost} events are lost since start: raise buffer_size, or give the agent more CPU.`);
	return short;
}
