import { expect } from "bun:test";
import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { systemClock } from "../../src/platform/clock.ts";
import { imbalance, type LedgerAccount } from "../../src/telemetry/ledger.ts";
import type { AgentStatus } from "../../src/telemetry/status-file.ts";
import { Agent, agentPath } from "../support/agent.ts";
import { type CloudEvent, deliveredUpTo, readEvents } from "../support/cloud-events.ts";
import { compileExecStorm, runExecStorm } from "../support/exec-storm.ts";
import { expectAccount } from "../support/expect-account.ts";
import { NatsServer } from "../support/nats-server.ts";
import { writeNodeConfig } from "../support/node-config.ts";
import { testNeeding } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait-until.ts";

const limit = 120_000;
const executions = 1500;
const kernel = "tapio.events.test.kernel";

/** Runs an agent whose server goes away, lets a storm of executions happen meanwhile, waits until `ready`, and gives the agent to `then`. */
async function outage(marker: string, then: (agent: Agent, server: NatsServer, settings: readonly string[]) => Promise<Agent>): Promise<void> {
	await using server = await NatsServer.start();
	using directory = temporaryDirectory();
	const program = await compileExecStorm(directory.path);
	const settings = writeNodeConfig(directory, { natsUrl: server.url, kernel: "" });
	await using agent = new Agent({ arguments: settings });
	await agent.says("Kernel programs are attached.");
	await runExecStorm({ program, count: 20, processes: 1, marker: "before" }, () => systemClock.sleep(5));
	await waitUntil("the lane works", async () => (await deliveredUpTo(server, kernel)) > 50);
	await server.kill();
	await runExecStorm({ program, count: executions, processes: 2, marker }, () => systemClock.sleep(5));
	await agent.says("events go to the spool", limit / 4);
	await agent.says("wait in the spool", limit / 4);
	await using last = await then(agent, server, settings);
	await waitUntil("the spool is empty", () => last.log.includes("The spool is empty"), limit / 2);
	const end = await last.stop();
	const account = end.ledger["kernel"] ?? never();
	expect([account.inFlight, account.dropped]).toEqual([0, {}]);
	const events = await readEvents(server, kernel);
	expectWhole(events, marker);
	const total = await totalOf(settings);
	expect([total.published, imbalance(total)]).toEqual([events.length, 0]);
}

/** Every execution is there once, and nothing is out of order. */
function expectWhole(events: readonly CloudEvent[], marker: string): void {
	const seen = new Map<string, number>();
	let last = 0;
	for (const event of events) {
		const sequence = Number(event.sequence);
		if (sequence <= last) throw new Error(`Sequence ${sequence} behind ${last}`);
		last = sequence;
		const words = event.type === "tapio.process.exec" ? event.data.attributes?.["process.command_args"] : undefined;
		const word = Array.isArray(words) ? String(words[1]) : "";
		if (word.startsWith(`${marker}-`)) seen.set(word, (seen.get(word) ?? 0) + 1);
	}
	expect(seen.size).toBe(executions);
	expect([...seen.values()].every((count) => count === 1)).toBe(true);
}

async function totalOf(settings: readonly string[]): Promise<LedgerAccount> {
	const child = Bun.spawn([agentPath, "status", "--json", ...settings], { stdin: "ignore", stdout: "pipe", stderr: "inherit", env: {}, cwd: "/" });
	const status: AgentStatus = JSON.parse(await child.stdout.text());
	return status.collectors["kernel"]?.total ?? never();
}

testNeeding(
	["kernel", "nats", "clang"],
	"agent whose server is away keeps kernel events on disk, and delivers every one in order when it is back",
	() =>
		outage("away", async (agent, server) => {
			await server.start();
			return agent;
		}),
	limit,
);

testNeeding(
	["kernel", "nats", "clang"],
	"agent that is killed while its server is away delivers from disk what its run before kept",
	() =>
		outage("killed", async (agent, server, settings) => {
			await settledOnDisk(settings);
			await agent.kill();
			await server.start();
			return new Agent({ arguments: settings });
		}),
	limit,
);

testNeeding(
	["kernel", "nats", "clang"],
	"agent whose lane lost its state while events waited on disk delivers every one under a new lane, none of them twice",
	() =>
		outage("orphaned", async (agent, server, settings) => {
			await settledOnDisk(settings);
			await agent.kill();
			rmSync(join(dirname(settings.at(-1) ?? never()), "state/lanes/kernel.lane"));
			await server.start();
			return new Agent({ arguments: settings });
		}),
	limit,
);

testNeeding(
	["kernel", "nats", "clang"],
	"agent that is stopped while its server is away leaves everything on disk, counted as in flight, and the next run delivers it",
	() =>
		outage("stopped", async (agent, server, settings) => {
			const { ledger, status } = await agent.stop();
			expect(status).toBe(0);
			expect(ledger["kernel"]?.dropped).toEqual({});
			expect(ledger["kernel"]?.inFlight).toBeGreaterThan(executions * 3 - 1);
			await server.start();
			return new Agent({ arguments: settings });
		}),
	limit,
);

testNeeding(
	["kernel", "nats", "clang"],
	"agent that starts while its server is away keeps kernel events on disk from the first on, and delivers every one when it is there",
	async () => {
		await using server = await NatsServer.start();
		using directory = temporaryDirectory();
		const program = await compileExecStorm(directory.path);
		const settings = writeNodeConfig(directory, { natsUrl: server.url, kernel: "" });
		await server.kill();
		{
			await using early = new Agent({ arguments: settings });
			await early.says("Kernel programs are attached.");
			await early.says("events go to the spool", limit / 4);
			await runExecStorm({ program, count: 100, processes: 2, marker: "early" }, () => systemClock.sleep(5));
			await settledOnDisk(settings);
			await early.kill();
		}
		await using agent = new Agent({ arguments: settings });
		await agent.says("Kernel programs are attached.");
		await runExecStorm({ program, count: executions, processes: 2, marker: "late" }, () => systemClock.sleep(5));
		await agent.says("wait in the spool", limit / 4);
		await server.start();
		await waitUntil("the spool is empty", () => agent.log.includes("The spool is empty"), limit / 2);
		const end = await agent.stop();
		expectAccount(end.ledger["kernel"], { dropped: {}, lost: {}, inFlight: 0 });
		const events = await readEvents(server, kernel);
		expectWhole(events, "late");
		const total = await totalOf(settings);
		expect([total.published, imbalance(total)]).toEqual([events.length, 0]);
		const early = events.filter(({ data }) => String(data.attributes?.["process.command_args"]).includes(",early-"));
		expect(early.length).toBe(100);
	},
	limit,
);

/** Batches go to disk in order, one at a time: when three more have come, everything before is there. */
async function settledOnDisk(settings: readonly string[]): Promise<void> {
	const folder = dirname(settings.at(-1) ?? never());
	const waiting = () => {
		Bun.spawnSync(["/bin/true"]);
		const { stdout } = Bun.spawnSync([agentPath, "spool", "inspect", join(folder, "state"), "--json"]);
		const [report] = JSON.parse(stdout.toString());
		return report.left.records;
	};
	const before = waiting();
	await waitUntil("what was in memory is on disk", () => waiting() >= before + 3);
}

function never(): never {
	throw new Error("The collector has an account");
}
