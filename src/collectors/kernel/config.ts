import * as v from "valibot";
import { situationalWhole, toggle } from "../../config/fields.ts";

const events = v.pipe(
	v.strictObject({
		exec: toggle("Reports every program that starts, with its arguments.", true),
		exit: toggle("Reports every process that ends, with its exit code, signal and duration.", true),
		fork: toggle("Reports every new process.", true),
	}),
	v.description("Which events of processes are reported."),
);

/** Checks and completes `collectors.kernel.config`. */
export const kernelConfigSchema = v.strictObject({
	buffer_size: situationalWhole("Events of 1 KiB that may wait in the ring of this collector.", "orchestrator.buffer_size", {
		least: 100,
		most: 1_000_000,
	}),
	enable_ebpf: toggle("Loads the programs into the kernel. Without them this collector has nothing to report.", true),
	monitor_configmaps: toggle("Reports reads of mounted ConfigMaps.", false),
	monitor_secrets: toggle("Reports reads of mounted Secrets, never their content.", false),
	redact_arguments: toggle("Replaces values in process arguments that look like secrets, as in --password=… or TOKEN=….", true),
	events: v.optional(events, {}),
});

/** `collectors.kernel.config`, checked and complete. */
export type KernelConfig = v.InferOutput<typeof kernelConfigSchema>;
