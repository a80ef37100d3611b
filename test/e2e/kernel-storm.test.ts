import { expect } from "bun:test";
import { systemClock } from "../../src/platform/clock.ts";
import { compileExecStorm, runExecStorm } from "../support/exec-storm.ts";
import { type KernelEvent, KernelHarness } from "../support/kernel-harness.ts";
import { testNeeding } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const executions = 8000;

/** The number in the storm's argument, or undefined for another event. */
function numberOf(event: KernelEvent, marker: string): number | undefined {
	const list = event.data.attributes["process.command_args"];
	const last = Array.isArray(list) ? list.at(-1) : undefined;
	return typeof last === "string" && last.startsWith(`${marker}-`) ? Number(last.slice(marker.length + 1)) : undefined;
}

testNeeding(
	["kernel", "clang"],
	`createKernelCollector() sees each of ${executions} executions with its arguments and loses none`,
	async () => {
		using folder = temporaryDirectory("storm");
		const program = await compileExecStorm(folder.path);
		using harness = new KernelHarness({}, {}, 64 * 1024 * 1024).start();
		const marker = `storm${process.pid}`;
		await runExecStorm({ program, count: executions, processes: 2, marker }, async () => {
			harness.poll();
			await systemClock.sleep(harness.collector.pollInterval);
		});
		harness.stop();
		const seen = new Map<number, KernelEvent>();
		for (const event of harness.ofType("tapio.process.exec")) {
			const number = numberOf(event, marker);
			if (number === undefined) continue;
			expect(seen.has(number)).toBe(false);
			expect(event.data.attributes["process.command_args"]).toEqual(["/bin/true", `${marker}-${number}`]);
			expect(event.data.attributes["process.executable.path"]).toBe("/bin/true");
			seen.set(number, event);
		}
		expect(seen.size).toBe(executions);
		const subjects = new Set([...seen.values()].map(({ subject }) => subject));
		expect(subjects.size).toBe(executions);
		for (const type of ["tapio.process.fork", "tapio.process.exit"]) {
			expect(harness.ofType(type).filter(({ subject }) => subjects.has(subject)).length).toBe(executions);
		}
		expect(harness.collector.statistics()).toMatchObject({ lost: 0, malformed: 0 });
		expect(harness.ofType("tapio.kernel.gap")).toEqual([]);
		expect(harness.ledger).toEqual({ received: harness.events.length, dropped: 0 });
		expect(new Set(harness.events.map(({ id }) => id)).size).toBe(harness.events.length);
	},
	60_000,
);
