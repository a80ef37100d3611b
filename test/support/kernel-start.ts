import { describeError, OperatingError } from "../../src/base/errors.ts";
import { kernelCollector } from "../../src/collectors/kernel/definition.ts";
import { KernelHarness, kernelConfig } from "./kernel-harness.ts";

// A program for the tests of rights: starts the kernel collector, sees one process, and prints what became of it as one line of JSON.
const report: Record<string, unknown> = { probe: await kernelCollector.probe(kernelConfig) };
try {
	using harness = new KernelHarness().start();
	Bun.spawnSync(["/bin/true"]);
	harness.poll();
	report["health"] = harness.collector.health();
	report["events"] = harness.events.length;
} catch (error) {
	report["code"] = error instanceof OperatingError ? error.code : "unexpected";
	report["message"] = describeError(error);
}
process.stdout.write(`${JSON.stringify(report)}\n`);
