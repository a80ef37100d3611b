import type { CollectorDefinition } from "../collector.ts";
import { type KernelConfig, kernelConfigSchema } from "./config.ts";

/** Processes as the kernel sees them. */
export const kernelCollector: CollectorDefinition<KernelConfig> = {
	name: "kernel",
	summary: "Every process that starts, ends or is made, with its arguments, from the kernel itself.",
	delivery: "live",
	host: "worker",
	config: kernelConfigSchema,
	counters: [
		{
			name: "kernel_ring_full",
			kind: "lost",
			description:
				"Events that the kernel's ring had no room for, because the agent did not get to read it, or for which it passed over a busy program.",
		},
		{ name: "malformed", kind: "dropped", description: "Records of a kind or length that this build does not know." },
		{ name: "gap", kind: "derived", description: "Events that name such a loss." },
	],
	events: [
		{ type: "tapio.process.exec", description: "A process replaced its image: path, arguments, parent, user, cgroup and namespaces." },
		{ type: "tapio.process.exit", description: "A process ended: exit code or signal, duration, CPU time, memory at its peak." },
		{ type: "tapio.process.fork", description: "A process was made: parent, child, and which namespaces are new." },
		{ type: "tapio.kernel.gap", description: "Events that the kernel had no room for, with their number by type." },
	],
	async create(config) {
		const { createKernelCollector } = await import("./collector.ts");
		return createKernelCollector(config);
	},
	async createDecoder(config, identity, runId) {
		const [{ KernelDecoder }, { readBootId }] = await Promise.all([import("./decoder.ts"), import("../../platform/kernel-facts.ts")]);
		return new KernelDecoder({ ...identity, bootId: readBootId(), runId }, { redactArguments: config.redact_arguments });
	},
	async probe(config) {
		if (!config.enable_ebpf) return "enable_ebpf is off";
		const [{ kernelObstacle, readKernelFacts }, { probeBpf }, { describeError }] = await Promise.all([
			import("./obstacle.ts"),
			import("../../platform/ffi/bpf-probe.ts"),
			import("../../base/errors.ts"),
		]);
		const obstacle = kernelObstacle(readKernelFacts(probeBpf()));
		return obstacle === undefined ? undefined : describeError(obstacle);
	},
};
