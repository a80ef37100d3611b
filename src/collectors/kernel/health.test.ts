import { expect, test } from "bun:test";
import { kernelConfig } from "../../../test/support/kernel-harness.ts";
import { describeHealth, type KernelState } from "./health.ts";
import { programs } from "./programs.ts";

const whole: KernelState = { config: kernelConfig, attached: programs, failures: [], kernelReads: true, lost: 0, lostRecently: false };

test("describeHealth() is healthy where all that was asked for is there", () => {
	expect(describeHealth(whole)).toEqual({ status: "healthy", message: "Reports process exec, exit, fork." });
	// A loss of long ago is in the statistics, not in the health.
	expect(describeHealth({ ...whole, lost: 5 }).status).toBe("healthy");
});

test("describeHealth() names everything that is missing", () => {
	const [exec, ...others] = programs;
	const failures = exec === undefined ? [] : [{ program: exec, reason: "no such tracepoint", error: undefined }];
	const config = { ...kernelConfig, monitor_secrets: true };
	const { status, message } = describeHealth({ config, attached: others, failures, kernelReads: false, lost: 3, lostRecently: true });
	expect(status).toBe("degraded");
	expect(message).toBe(
		"Reports process exit, fork. Process exec is missing: no such tracepoint. Lockdown forbids reading kernel memory: interpreters of scripts and pids " +
			"inside containers are missing. monitor_secrets is on, and this build has no program for it. The kernel's ring was full, 3 events are lost since " +
			"start: raise buffer_size, or give the agent more CPU.",
	);
});

test("describeHealth() is degraded where nothing is asked for", () => {
	expect(describeHealth({ ...whole, attached: [] }).message).toBe("Every event is switched off: nothing is reported.");
	expect(describeHealth({ ...whole, config: { ...kernelConfig, enable_ebpf: false } }).message).toContain("enable_ebpf is off");
});
