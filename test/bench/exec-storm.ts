import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { systemClock } from "../../src/platform/clock.ts";
import { sumReasons } from "../../src/telemetry/ledger.ts";
import { Agent } from "../support/agent.ts";
import { compileExecStorm, runExecStorm } from "../support/exec-storm.ts";
import { NatsServer } from "../support/nats-server.ts";
import { writeNodeConfig } from "../support/node-config.ts";
import { lacking } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait-until.ts";
import type { BenchRow } from "./row.ts";

/** Storms with and without the agent, taken in turns so that the machine's moods fall on both. The cheapest of each counts. */
const rounds = 5;
/** Executions of one storm: 50,000 with the agent and as many without. */
const executions = 10_000;
/** The first executions that an agent sees: its own compiler works until then, and takes more than its collectors. */
const firstExecutions = 50_000;
const processes = 2;
/** What every execution gives: a fork, an exec and an exit. */
const eventsPerExecution = 3;
/** Switches the kernel's own account of the time that programs take, which costs time itself. */
const statisticsSwitch = "/proc/sys/kernel/bpf_stats_enabled";
const startMax = 30_000;
/** A batch leaves 50 ms after its first event. */
const lastBatchMs = 200;

/** What one run of the agent's programs took on average, by the kernel's account. */
interface ProgramTime {
	readonly nanoseconds: number;
	readonly programs: number;
}

/** What the storms took. */
interface Measured {
	/** CPU microseconds per execution, of the storm itself: everything it started, and what the kernel did in its name, the programs included. */
	readonly bare: readonly number[];
	readonly watched: readonly number[];
	/** CPU microseconds per event, of the agent, all threads, until everything is on its way. */
	readonly cold: number;
	readonly warm: readonly number[];
	readonly lost: number;
	readonly time: ProgramTime;
}

/**
 * Storms of executions with and without the whole agent, which delivers into JetStream: what the programs add to each execution, and what the agent takes for each event.
 * Needs the rights of the collector, and clang. Two minutes.
 */
export async function bench(): Promise<BenchRow[]> {
	if (lacking("root") !== undefined || lacking("kernel") !== undefined || lacking("nats") !== undefined) return [];
	using folder = temporaryDirectory("bench");
	const program = await compileExecStorm(folder.path);
	const bare: number[] = [];
	const watched: number[] = [];
	for (let round = 0; round < rounds; round++) {
		bare.push(await storm(program, executions));
		await withAgent(async () => void watched.push(await storm(program, executions)));
	}
	const warm: number[] = [];
	let [cold, time]: [number, ProgramTime] = [Number.NaN, { nanoseconds: Number.NaN, programs: 0 }];
	const lost = await withAgent(async (agent) => {
		cold = await perEvent(agent, program, firstExecutions);
		for (let round = 0; round < rounds; round++) warm.push(await perEvent(agent, program, executions));
		time = await programTime(agent, program);
	});
	return rows({ bare, watched, cold, warm, lost, time });
}

function rows({ bare, watched, cold, warm, lost, time }: Measured): BenchRow[] {
	const alone = Math.min(...bare);
	const together = Math.min(...watched);
	const median = warm.toSorted((a, b) => a - b)[rounds >> 1] ?? Number.NaN;
	return [
		{ name: "exec storm, alone", cpuSecondsPerMillion: alone, note: `${rounds} storms of ${executions}, ${processes} at a time, per execution` },
		{
			name: "exec storm, watched",
			cpuSecondsPerMillion: together,
			ratio: together / alone,
			note: `${(together - alone).toFixed(1)} us more; the storms without differ by ${(Math.max(...bare) - alone).toFixed(1)} among themselves`,
		},
		{
			name: "exec storm, the agent's programs",
			cpuSecondsPerMillion: time.nanoseconds / 1000,
			note: `${time.programs} programs, per fork, exec and exit, by the kernel's own account (bpf_stats_enabled); the limit is 15`,
		},
		{
			name: "exec storm, agent into JetStream",
			cpuSecondsPerMillion: Math.min(...warm),
			lost,
			note: `per event, the whole agent, idling included; median ${median.toFixed(2)}; the limit is 5`,
		},
		{
			name: "exec storm, agent's first events",
			cpuSecondsPerMillion: cold,
			note: `the first ${firstExecutions * eventsPerExecution} after its start, while the compiler of Bun works`,
		},
	];
}

/** CPU microseconds per execution. */
async function storm(program: string, count: number): Promise<number> {
	return (await runExecStorm({ program, count, processes, marker: "bench" }, () => systemClock.sleep(10))) / count / 1000;
}

/** Returns how many events the agent dropped, or knows that the kernel did. */
async function withAgent(use: (agent: Agent) => Promise<void>): Promise<number> {
	using directory = temporaryDirectory("bench");
	await using server = await NatsServer.start();
	await using agent = new Agent({ arguments: writeNodeConfig(directory, { natsUrl: server.url, kernel: "" }) });
	await agent.says("Kernel programs are attached", startMax);
	await use(agent);
	const account = (await agent.stop()).ledger["kernel"];
	return account === undefined ? Number.NaN : sumReasons(account.dropped) + sumReasons(account.lost);
}

async function perEvent(agent: Agent, program: string, count: number): Promise<number> {
	const before = threadTimes(agent.pid);
	await storm(program, count);
	const end = performance.now() + lastBatchMs;
	await waitUntil("the last batch has left", () => performance.now() > end);
	let used = 0;
	// Threads of the compiler come and go: one that ended had nothing to do for seconds.
	for (const [thread, time] of threadTimes(agent.pid)) used += time - (before.get(thread) ?? 0);
	return used / count / eventsPerExecution / 1000;
}

/** By thread the nanoseconds on a processor, the first number of its schedstat. */
function threadTimes(pid: number): Map<string, number> {
	const times = new Map<string, number>();
	for (const thread of readdirSync(`/proc/${pid}/task`)) {
		try {
			times.set(thread, Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "latin1").split(" ")[0]));
		} catch {
			// It ended between two looks.
		}
	}
	return times;
}

async function programTime(agent: Agent, program: string): Promise<ProgramTime> {
	const before = readFileSync(statisticsSwitch, "latin1");
	writeFileSync(statisticsSwitch, "1");
	try {
		await storm(program, executions);
		let nanoseconds = 0;
		let programs = 0;
		for (const descriptor of readdirSync(`/proc/${agent.pid}/fd`)) {
			if (readlinkSync(`/proc/${agent.pid}/fd/${descriptor}`) !== "anon_inode:bpf-prog") continue;
			const text = readFileSync(`/proc/${agent.pid}/fdinfo/${descriptor}`, "latin1");
			const field = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+)$`, "m").exec(text)?.[1] ?? Number.NaN);
			if (field("run_cnt") === 0) continue;
			nanoseconds += field("run_time_ns") / field("run_cnt");
			programs++;
		}
		return { nanoseconds, programs };
	} finally {
		writeFileSync(statisticsSwitch, before);
	}
}

if (import.meta.main) {
	const table = await bench();
	const width = Math.max(...table.map(({ name }) => name.length));
	for (const { name, cpuSecondsPerMillion, ratio, lost, note } of table) {
		const numbers = `${cpuSecondsPerMillion.toFixed(2).padStart(8)} CPU-s/M  ${(ratio?.toFixed(3) ?? "").padStart(6)}  ${String(lost ?? "").padStart(4)}`;
		process.stdout.write(`${name.padEnd(width)}  ${numbers}  ${note}\n`);
	}
}
