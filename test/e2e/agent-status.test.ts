import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { imbalance } from "../../src/telemetry/ledger.ts";
import type { AgentStatus } from "../../src/telemetry/status-file.ts";
import { Agent, agentPath } from "../support/agent.ts";
import { delivered, deliveredUpTo, readEvents } from "../support/cloud-events.ts";
import { ordinaryEntries, writeJournal } from "../support/journal-files.ts";
import { NatsServer } from "../support/nats-server.ts";
import { writeNodeConfig } from "../support/node-config.ts";
import { testNeeding } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait-until.ts";

const limit = 120_000;
const entries = 20_000;
const kills = 4;
const subject = "tapio.events.test.systemd";
const kernel = "tapio.events.test.kernel";
/** So that a backlog lasts for some seconds. */
const smallBatches = "batch: { max_events: 20 }";

/** What `tapio-agent status` says with these arguments. */
async function statusOf(settings: readonly string[], ...more: readonly string[]): Promise<{ code: number; out: string; error: string }> {
	const child = Bun.spawn([agentPath, "status", ...settings, ...more], { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: {}, cwd: "/" });
	const [out, error] = await Promise.all([child.stdout.text(), child.stderr.text()]);
	return { code: await child.exited, out, error };
}

async function jsonStatusOf(settings: readonly string[]): Promise<AgentStatus & { running: boolean | null; code: number }> {
	const { code, out } = await statusOf(settings, "--json");
	return { ...JSON.parse(out), code };
}

testNeeding(
	["journal", "nats"],
	"the accounts of all runs together know every published event, although most runs were killed",
	async () => {
		await using server = await NatsServer.start();
		using directory = temporaryDirectory();
		await writeJournal(directory.join("journal"), ordinaryEntries(entries));
		const settings = writeNodeConfig(directory, { natsUrl: server.url, journal: directory.join("journal"), orchestrator: smallBatches });
		let last = 0;
		for (let kill = 0; kill < kills; kill++) {
			await using agent = new Agent({ arguments: settings });
			const before = last;
			await waitUntil(
				"more has arrived",
				async () => {
					last = await deliveredUpTo(server, subject);
					return last > before + 500;
				},
				limit / 4,
			);
			await agent.kill();
			const { running, code, collectors, run } = await jsonStatusOf(settings);
			expect([running, code, run.ended]).toEqual([false, 1, false]);
			expect(imbalance(collectors["systemd"]?.total ?? never())).toBe(0);
		}
		await using agent = new Agent({ arguments: settings });
		await delivered(server, subject, entries, limit / 2);
		const running = await statusOf(settings);
		expect(running.out).toContain(`running as process ${agent.pid} since `);
		const end = await agent.stop();
		const { running: isRunning, code, collectors, run } = await jsonStatusOf(settings);
		expect([isRunning, code, run.ended]).toEqual([false, 1, true]);
		const { total, run: lastRun } = collectors["systemd"] ?? never();
		expect(lastRun).toEqual(end.ledger["systemd"] ?? never());
		expect([total.published, total.received + total.derived, total.inFlight, imbalance(total)]).toEqual([entries, entries, 0, 0]);
		expect(lastRun.published).toBeLessThan(entries);
	},
	limit,
);

testNeeding(
	["kernel", "nats"],
	"the accounts of all runs say of a live source what the stream holds, although most runs were killed",
	async () => {
		await using server = await NatsServer.start();
		using directory = temporaryDirectory();
		const settings = writeNodeConfig(directory, { natsUrl: server.url, kernel: "", orchestrator: smallBatches });
		for (let kill = 0; kill < kills; kill++) {
			await using agent = new Agent({ arguments: settings });
			await agent.says("Kernel programs are attached.");
			const before = await deliveredUpTo(server, kernel);
			const storm = Bun.spawn(["sh", "-c", "while :; do /bin/true; done"]);
			await waitUntil("more has arrived", async () => (await deliveredUpTo(server, kernel)) > before + 300, limit / 4);
			await agent.kill();
			storm.kill("SIGKILL");
			await storm.exited;
		}
		await using agent = new Agent({ arguments: settings });
		await agent.says("Kernel programs are attached.");
		const end = await agent.stop();
		const { collectors } = await jsonStatusOf(settings);
		const { total } = collectors["kernel"] ?? never();
		const events = await readEvents(server, kernel);
		expect(imbalance(total)).toBe(0);
		expect(total.published).toBe(events.length);
		expect(events.length).toBeGreaterThan(kills * 300);
		// What no run saw acknowledged is named, and not in the stream.
		const last = Number(events.at(-1)?.sequence);
		expect(last - events.length).toBe(total.lost["previous_run"] ?? 0);
		expect(end.status).toBe(0);
	},
	limit,
);

test("tapio-agent status says what is missing where no agent ever ran, and what is wrong with a damaged file", async () => {
	using directory = temporaryDirectory();
	const settings = writeNodeConfig(directory, { natsUrl: "nats://127.0.0.1:9", kernel: "" });
	const missing = await statusOf(settings);
	expect([missing.code, missing.out]).toEqual([1, ""]);
	expect(missing.error).toContain(`There is no status of an agent in ${directory.join("state")}/status.json`);
	expect(missing.error).toContain("--config");
	mkdirSync(directory.join("state"));
	writeFileSync(directory.join("state/status.json"), "{}");
	const damaged = await statusOf(settings, "--json");
	expect([damaged.code, damaged.out]).toEqual([1, ""]);
	expect(damaged.error).toContain("Understand the status of the agent in");
});

function never(): never {
	throw new Error("The collector has an account");
}
