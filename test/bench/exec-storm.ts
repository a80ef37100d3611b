import { systemClock } from "../../src/platform/clock.ts";
import { compileExecStorm, runExecStorm } from "../support/exec-storm.ts";
import { KernelHarness } from "../support/kernel-harness.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import type { BenchRow } from "./row.ts";

/** Storms with and without the collector, taken in turns so that the machine's moods fall on both. The cheapest of each counts. */
const rounds = 10;
/** All rounds of one side together. */
const executions = 50_000;
const processes = 2;

/** What one storm cost. */
interface Cost {
	/** CPU nanoseconds of the storm itself: everything it started, and what the kernel did in its name, the programs included. */
	readonly storm: number;
	/** CPU nanoseconds of this process, all threads. */
	readonly agent: number;
	readonly events: number;
	readonly lost: number;
}

/**
 * Storms of executions with and without the collector: what the programs add to each execution, and what taking and decoding the events costs.
 * Needs the rights of the collector, and clang. About a minute.
 */
export async function bench(): Promise<BenchRow[]> {
	using folder = temporaryDirectory("bench");
	const program = await compileExecStorm(folder.path);
	const count = executions / rounds;
	// Both once before it counts: the compiler of this process warms up, and so do the caches.
	await without(program, count);
	await withCollector(program, count);
	const bare: Cost[] = [];
	const watched: Cost[] = [];
	for (let round = 0; round < rounds; round++) {
		bare.push(await without(program, count));
		watched.push(await withCollector(program, count));
	}
	const least = (costs: readonly Cost[], value: (cost: Cost) => number) => Math.min(...costs.map(value));
	const perExecution = (costs: readonly Cost[]) => least(costs, ({ storm }) => storm / count / 1000);
	const added = perExecution(watched) - perExecution(bare);
	const idle = least(bare, ({ agent }) => agent);
	const drained = least(watched, ({ agent, events }) => (agent - idle) / events / 1000);
	const lost = watched.reduce((sum, cost) => sum + cost.lost, 0);
	const events = watched.reduce((sum, cost) => sum + cost.events, 0);
	return [
		{
			name: "exec storm, alone",
			cpuSecondsPerMillion: perExecution(bare),
			note: `${rounds} storms of ${count}, ${processes} at a time, per execution`,
		},
		{
			name: "exec storm, watched",
			cpuSecondsPerMillion: perExecution(watched),
			ratio: perExecution(watched) / perExecution(bare),
			lost,
			note: `${added.toFixed(2)} us added per fork, exec and exit; the limit is 15`,
		},
		{
			name: "exec storm, drain and decode",
			cpuSecondsPerMillion: drained,
			lost,
			note: `per event, ${events} events, to CloudEvents JSON; the limit is 5`,
		},
	];
}

async function without(program: string, count: number): Promise<Cost> {
	const before = ownCpu();
	const storm = await runExecStorm({ program, count, processes, marker: "bench" }, () => systemClock.sleep(10));
	return { storm, agent: ownCpu() - before, events: 0, lost: 0 };
}

async function withCollector(program: string, count: number): Promise<Cost> {
	using harness = new KernelHarness();
	harness.keep = false;
	harness.start();
	const before = ownCpu();
	const storm = await runExecStorm({ program, count, processes, marker: "bench" }, () => {
		harness.poll();
		return systemClock.sleep(harness.collector.pollInterval);
	});
	harness.poll();
	const agent = ownCpu() - before;
	harness.stop();
	return { storm, agent, events: harness.decoded, lost: harness.collector.statistics()["lost"] ?? 0 };
}

/** Nanoseconds on a CPU of all threads of this process, those that have ended included: threads of the compiler come and go. */
function ownCpu(): number {
	const { user, system } = process.cpuUsage();
	return (user + system) * 1000;
}

if (import.meta.main) {
	const rows = await bench();
	const width = Math.max(...rows.map(({ name }) => name.length));
	for (const { name, cpuSecondsPerMillion, ratio, lost, note } of rows) {
		const numbers = `${cpuSecondsPerMillion.toFixed(2).padStart(8)} CPU-s/M  ${(ratio?.toFixed(3) ?? "").padStart(6)}  ${String(lost ?? "").padStart(4)}`;
		process.stdout.write(`${name.padEnd(width)}  ${numbers}  ${note}\n`);
	}
}
