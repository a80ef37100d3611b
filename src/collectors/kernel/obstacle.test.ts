import { expect, test } from "bun:test";
import { OperatingError } from "../../base/errors.ts";
import { describeFailure, type KernelFacts, kernelObstacle } from "./obstacle.ts";

const able: KernelFacts = {
	btfPath: "/sys/kernel/btf/vmlinux",
	hasBtf: true,
	support: { ring: 0, tracing: 0, kernelReads: 0 },
	capabilities: new Set([38, 39]),
	lockdown: "none",
};

test("kernelObstacle() sees none where everything is there", () => {
	expect(kernelObstacle(able)).toBeUndefined();
	// Lockdown that only forbids reading by address is no obstacle.
	expect(kernelObstacle({ ...able, lockdown: "confidentiality", support: { ring: 0, tracing: 0, kernelReads: 22 } })).toBeUndefined();
});

test("kernelObstacle() names what is in the way, and the way out", () => {
	const refused = { ring: 1, tracing: 1, kernelReads: 1 };
	for (const [facts, code, words] of [
		[{ support: { ring: 38, tracing: 38, kernelReads: 38 } }, "bpf_unsupported", "CONFIG_BPF_SYSCALL"],
		[{ hasBtf: false }, "kernel_btf_missing", "CONFIG_DEBUG_INFO_BTF"],
		[{ support: { ...able.support, ring: 22 } }, "bpf_unsupported", "5.10"],
		[{ support: refused, capabilities: new Set([39]) }, "bpf_permission", "give the agent CAP_PERFMON,"],
		[{ support: refused, capabilities: new Set<number>() }, "bpf_permission", "give the agent CAP_BPF and CAP_PERFMON,"],
		[{ support: refused, capabilities: undefined }, "bpf_permission", "seccomp"],
		[{ support: refused, lockdown: "confidentiality" }, "bpf_lockdown", "integrity"],
		[{ support: refused, capabilities: new Set([21]) }, "bpf_permission", "seccomp"],
		[{ support: { ...able.support, ring: 12 } }, "bpf_refused", undefined],
	] as const) {
		const obstacle = kernelObstacle({ ...able, ...facts });
		expect(obstacle?.code).toBe(code);
		if (words !== undefined) expect(obstacle?.hint).toContain(words);
	}
});

test("describeFailure() keeps the verifier's reason and leaves out its chatter", () => {
	const log = [
		"libbpf: prog 'p': -- BEGIN PROG LOAD LOG --",
		"0: (b7) r0 = 0",
		"R1 invalid mem access 'scalar'",
		"processed 3 insns (limit 1000000) max_states_per_insn 0",
		"-- END PROG LOAD LOG --",
		"libbpf: prog 'p': failed to load: -13",
		"libbpf: failed to load object 'exit'",
	];
	expect(describeFailure(new OperatingError("bpf_load", "Load exit", { log }))).toBe("Load exit [R1 invalid mem access 'scalar']");
	expect(describeFailure(new OperatingError("bpf_load", "Load exit", { log: [] }))).toBe("Load exit");
	expect(describeFailure(new Error("other"))).toBe("other");
});
