import { afterAll, beforeAll, expect } from "bun:test";
import { counterGap, counterLost } from "../../src/collectors/kernel/collector.ts";
import { pageBytes } from "../../src/platform/ffi/bpf-ring.ts";
import { waitReadable } from "../../src/platform/ffi/poll.ts";
import { compileExecStorm, runExecStorm } from "../support/exec-storm.ts";
import { KernelHarness } from "../support/kernel-harness.ts";
import { lacking, testNeeding } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait-until.ts";

const needs = ["kernel", "clang"] as const;
const folder = temporaryDirectory("loss");
let program = "";

beforeAll(async () => {
	if (lacking("clang") === undefined) program = await compileExecStorm(folder.path);
});
afterAll(() => folder[Symbol.dispose]());

/** A pause that lets the storm go on. */
const idle = () => new Promise<void>((resolve) => setImmediate(resolve));
const onlyExec = { events: { exec: true, exit: false, fork: false } };
/**
 * Other programs of the machine start while ours attach and detach, and then nobody knows whether they were seen. A round in which none did is exact;
 * on a machine that is never quiet so many rounds with bounds must do.
 */
const roundsMax = 10;

/** What happened while a ring of one page overflowed, as a witness with a large one saw it: at least and at most so many executions. */
interface Overflow {
	readonly least: number;
	readonly most: number;
	readonly tiny: KernelHarness;
}

async function overflow(): Promise<Overflow> {
	using witness = new KernelHarness({}, onlyExec).start();
	const tiny = new KernelHarness({ ringBytes: pageBytes }, onlyExec);
	const count = () => {
		witness.poll();
		return witness.events.length;
	};
	const before = count();
	tiny.start();
	const first = count();
	await runExecStorm({ program, count: 400, processes: 2, marker: "loss" }, idle);
	const last = count();
	const healthy = tiny.collector.health();
	expect(healthy.status).toBe("healthy");
	tiny.stop();
	const after = count();
	return { least: last - first, most: after - before, tiny };
}

testNeeding(needs, "createKernelCollector() counts exactly what a full ring costs, and reports a gap", async () => {
	for (let round = 0; round < roundsMax; round++) {
		const { least, most, tiny } = await overflow();
		const received = tiny.ofType("tapio.process.exec").length;
		const lost = tiny.counter(counterLost);
		expect(received).toBeGreaterThan(5);
		expect(received + lost).toBeGreaterThanOrEqual(least);
		expect(received + lost).toBeLessThanOrEqual(most);
		const gaps = tiny.ofType("tapio.kernel.gap");
		expect(gaps.map(({ data }) => data.attributes)).toEqual([
			{ "tapio.gap.lost": lost, "tapio.gap.reason": "kernel_ring_full", "tapio.gap.lost_by_type": { "tapio.process.exec": lost } },
		]);
		expect(gaps[0]?.severitytext).toBe("ERROR");
		expect(tiny.counter(counterGap)).toBe(1);
		expect(tiny.collector.statistics()["lost"]).toBe(lost);
		expect(tiny.ledger).toEqual({ received: received + 1, dropped: 0 });
		if (least === most) return;
	}
});

testNeeding(needs, "createKernelCollector() is degraded after a loss and says how to mend it", async () => {
	using harness = new KernelHarness({ ringBytes: pageBytes }).start();
	await runExecStorm({ program, count: 100, processes: 1, marker: "degraded" }, idle);
	const health = await waitUntil("the loss is noticed", () => {
		harness.poll();
		const now = harness.collector.health();
		return now.status === "degraded" && now;
	});
	expect(health.message).toMatch(
		/^Reports process exec, exit, fork\. The kernel's ring was full, \d+ events are lost since start: raise buffer_size/,
	);
	expect(harness.ofType("tapio.kernel.gap").length).toBeGreaterThan(0);
});

testNeeding(needs, "createKernelCollector() leaves events in the kernel's ring while the agent's own is full", async () => {
	const quota = 64 * 1024;
	using harness = new KernelHarness({}, {}, quota).start();
	await runExecStorm({ program, count: 300, processes: 1, marker: "held" }, idle);
	// One poll without reading fills the agent's ring.
	const moved = harness.collector.poll();
	expect(moved).toBeGreaterThan(100);
	expect(harness.collector.poll()).toBe(0);
	expect(harness.collector.statistics()["held_back"]).toBeGreaterThan(0);
	await waitUntil("everything came through", () => {
		harness.poll();
		return harness.ofType("tapio.process.exit").length >= 300;
	});
	const held = harness.ofType("tapio.process.exec").filter(({ data }) => JSON.stringify(data).includes("held-"));
	expect(held.length).toBeGreaterThanOrEqual(300);
	expect(harness.ledger.dropped).toBe(0);
	expect(harness.collector.statistics()).toMatchObject({ lost: 0 });
});

testNeeding(needs, "createKernelCollector() counts at its stop what the agent's ring has no room for", async () => {
	using harness = new KernelHarness({}, {}, 64 * 1024).start();
	await runExecStorm({ program, count: 300, processes: 1, marker: "stop" }, idle);
	harness.stop();
	const { received, dropped } = harness.ledger;
	expect(received).toBeGreaterThanOrEqual(900);
	expect(dropped).toBeGreaterThan(100);
	expect(harness.events.length).toBe(received - dropped);
	expect(harness.collector.statistics()).toMatchObject({ lost: 0, records: received - dropped });
});

testNeeding(
	needs,
	"createKernelCollector() wakes a sleeping host when a quarter of the ring is full, and not for less",
	async () => {
		// 2 MiB: the quarter is far above what the rest of the machine does meanwhile.
		using harness = new KernelHarness({ ringBytes: 2 * 1024 * 1024 }).start();
		const { descriptor } = harness.collector;
		const isAwake = () => waitReadable([descriptor], 0).length > 0;
		await runExecStorm({ program, count: 50, processes: 1, marker: "quiet" }, idle);
		expect(isAwake()).toBe(false);
		await runExecStorm({ program, count: 1500, processes: 2, marker: "loud" }, idle);
		expect(isAwake()).toBe(true);
		harness.poll();
		await runExecStorm({ program, count: 50, processes: 1, marker: "quiet" }, idle);
		expect(isAwake()).toBe(false);
		expect(harness.collector.statistics()).toMatchObject({ lost: 0 });
	},
	20_000,
);
