import { expect } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { Agent } from "../support/agent.ts";
import { ordinaryEntry, writeJournal } from "../support/journal-files.ts";
import { NatsServer } from "../support/nats-server.ts";
import { testNeeding } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait-until.ts";

/** What the agent may take when nothing happens: anonymous and shared memory of the whole tree, each page once, and of one core. */
const idleMemoryKiB = 45 * 1024;
const idleShare = 0.015;
/** A window of this many milliseconds is measured; the best of those within the deadline counts, because a machine that tests is not idle. */
const windowMs = 2000;
const deadline = 60_000;

testNeeding(
	["root", "kernel", "journal", "nats"],
	"tapio-agent with both collectors on takes at most 45 MiB and 1.5 % of a core when idle",
	async () => {
		await using server = await NatsServer.start();
		using directory = temporaryDirectory("idle");
		await writeJournal(directory.join("journal"), [ordinaryEntry(0)]);
		const config = directory.join("node.yaml");
		await Bun.write(config, configuration(directory.join("state"), server.url, directory.join("journal")));
		await using agent = new Agent({ arguments: ["--config", config] });
		await agent.says("follows the journal", deadline);
		const pids = [agent.pid, ...agent.children()];
		expect(pids.length).toBe(2);
		const memory = () => pids.map((pid) => `${(ownMemoryKiB(pid) / 1024).toFixed(1)} MiB`).join(" and ");
		await waitUntil(
			() => `agent and child take less than 45 MiB and not ${memory()}`,
			() => sum(pids, ownMemoryKiB) < idleMemoryKiB,
			deadline,
		);
		let share = 1;
		await waitUntil(
			() => `agent and child take less than 1.5 % of a core and not ${(share * 100).toFixed(2)} %`,
			async () => {
				const [before, start] = [sum(pids, cpuSeconds), performance.now()];
				await waitUntil("the window is over", () => performance.now() - start >= windowMs);
				share = Math.min(share, ((sum(pids, cpuSeconds) - before) / (performance.now() - start)) * 1000);
				return share < idleShare;
			},
			deadline,
		);
		process.stderr.write(`idle: ${(sum(pids, ownMemoryKiB) / 1024).toFixed(1)} MiB, ${(share * 100).toFixed(2)} % of a core\n`);
	},
	deadline * 4,
);

function configuration(state: string, nats: string, journal: string): string {
	return [
		`orchestrator: { state_dir: ${state}, nats: { url: "${nats}", jetstream: { max_bytes: 64MiB } } }`,
		`collectors:`,
		`  systemd: { enabled: true, config: { units: [], path: ${journal} } }`,
		`  kernel: { enabled: true }`,
	].join("\n");
}

function sum(pids: readonly number[], measure: (pid: number) => number): number {
	return pids.reduce((total, pid) => total + measure(pid), 0);
}

function ownMemoryKiB(pid: number): number {
	const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
	const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? Number.NaN);
	return field("Pss_Anon") + field("Pss_Shmem");
}

/** Of every thread: the first number of schedstat is nanoseconds on a processor. */
function cpuSeconds(pid: number): number {
	const tasks = readdirSync(`/proc/${pid}/task`);
	return tasks.reduce((total, task) => total + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, "utf8").split(" ")[0]) / 1e9, 0);
}
