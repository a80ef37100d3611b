import { expect } from "bun:test";
import { cpSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { Agent } from "../support/agent.ts";
import { delivered, deliveredUpTo, expectSame, numbersOf, readEvents } from "../support/cloud-events.ts";
import { expectAccount } from "../support/expect-account.ts";
import { ordinaryEntries, writeJournal } from "../support/journal-files.ts";
import { NatsServer } from "../support/nats-server.ts";
import { writeNodeConfig } from "../support/node-config.ts";
import { testNeeding } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait-until.ts";

const limit = 120_000;
const count = 40_000;
const systemd = "tapio.events.test.systemd";
const kernel = "tapio.events.test.kernel";
const smallPayload = 64 * 1024;
/** So that a backlog lasts for some seconds. */
const smallBatches = "batch: { max_events: 10 }";

function upTo(length: number, first = 0): number[] {
	return Array.from({ length }, (_, index) => first + index);
}

/** Starts `processes` short processes. */
function storm(processes: number): void {
	Bun.spawnSync(["sh", "-c", `i=0; while [ $i -lt ${processes} ]; do /bin/true; i=$((i+1)); done`]);
}

async function manage<T>(server: NatsServer, work: (manager: Awaited<ReturnType<typeof jetstreamManager>>) => Promise<T>): Promise<T> {
	await using client = await server.client();
	return await work(await jetstreamManager(client));
}

/** Holds the agent with its batches acknowledged, while `work` changes the stream behind it. */
async function whileHeld(agent: Agent, server: NatsServer, work: () => Promise<unknown>): Promise<void> {
	agent.signal("SIGSTOP");
	let last = -1;
	await waitUntil("the stream is at rest", async () => {
		const now = await deliveredUpTo(server, systemd);
		const isSame = now === last;
		last = now;
		return isSame;
	});
	await work();
	agent.signal("SIGCONT");
}

testNeeding(
	["journal", "nats"],
	"agent whose server takes less than before reads the journal again from what is acknowledged: every entry once and in order",
	async () => {
		using directory = temporaryDirectory();
		await using server = await NatsServer.start();
		const journal = directory.join("journal");
		await writeJournal(journal, ordinaryEntries(count));
		await using agent = new Agent({ arguments: writeNodeConfig(directory, { natsUrl: server.url, journal }) });
		await waitUntil("some of it is delivered", async () => (await deliveredUpTo(server, systemd)) > 0, 20_000);
		await server.kill();
		await server.start(undefined, { maxPayload: smallPayload });
		await agent.says("The server takes less than before", 40_000);
		await agent.says("A collector host starts again, to read from an earlier position.");
		await delivered(server, systemd, count, 60_000);
		await waitUntil("health has been looked at", () => agent.log.includes("batches are smaller now"));
		const end = await agent.stop();
		expect(end.ledger["systemd"]).toMatchObject({ received: count, published: count, inFlight: 0, truncated: 0 });
		expectSame(numbersOf(await readEvents(server, systemd)), upTo(count));
	},
	limit,
);

testNeeding(
	["kernel", "nats"],
	"agent whose server takes less than before splits the batches of a live source that wait on disk, and loses nothing of it",
	async () => {
		using directory = temporaryDirectory();
		await using server = await NatsServer.start();
		await using agent = new Agent({ arguments: writeNodeConfig(directory, { natsUrl: server.url, kernel: "buffer_size: 20000" }) });
		await agent.says("Kernel programs are attached.");
		await agent.says("Connected to NATS.");
		storm(5);
		await delivered(server, kernel, 15);
		await server.kill();
		storm(1200);
		await agent.says("events go to the spool", 20_000);
		await server.start(undefined, { maxPayload: smallPayload });
		await agent.says("The server takes less than before", 40_000);
		storm(5);
		await waitUntil("everything is delivered", async () => (await deliveredUpTo(server, kernel)) >= 3600, 30_000);
		const end = await agent.stop();
		expectAccount(end.ledger["kernel"], { dropped: {}, lost: {}, inFlight: 0 });
		const events = await readEvents(server, kernel);
		expectSame(
			events.map(({ sequence }) => Number(sequence)),
			upTo(end.ledger["kernel"]?.published ?? 0, 1),
		);
		expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
	},
	limit,
);

testNeeding(
	["kernel", "nats"],
	"agents on copies of one state folder are told apart, and what each says it published is in the stream",
	async () => {
		using directory = temporaryDirectory();
		using copy = temporaryDirectory();
		await using server = await NatsServer.start();
		const settings = { natsUrl: server.url, kernel: "" };
		const original = writeNodeConfig(directory, settings);
		{
			await using agent = new Agent({ arguments: original });
			await agent.says("Kernel programs are attached.");
			storm(5);
			await delivered(server, kernel, 15);
			await agent.stop();
		}
		cpSync(directory.join("state"), copy.join("state"), { recursive: true });
		const first = await readEvents(server, kernel);
		await using one = new Agent({ arguments: original });
		await using two = new Agent({ arguments: writeNodeConfig(copy, settings) });
		const agents = [one, two];
		// Both see the same executions, and cut batches of the same numbers, counts and sequences.
		await Promise.all(agents.map((agent) => agent.says("Kernel programs are attached.")));
		await waitUntil(
			"one of them finds the other",
			() => {
				storm(1);
				return agents.some((agent) => agent.log.includes("A lane stopped."));
			},
			20_000,
		);
		storm(5);
		const ends = await Promise.all(agents.map((agent) => agent.stop()));
		expect(ends.filter(({ health }) => health["kernel"]?.status === "unhealthy")).toHaveLength(1);
		const events = (await readEvents(server, kernel)).slice(first.length);
		const runs = Map.groupBy(events, ({ id }) => id.slice(0, id.lastIndexOf("-")));
		const published = ends.map(({ ledger }) => ledger["kernel"]?.published ?? 0).filter((count) => count > 0);
		expect([...runs.values()].map(({ length }) => length).sort()).toEqual(published.sort());
		for (const { ledger } of ends) {
			const { received = 0, published: sent = 0, dropped = {} } = ledger["kernel"] ?? {};
			expect(received).toBe(sent + Object.values(dropped).reduce((sum, amount) => sum + amount, 0));
		}
	},
	limit,
);

testNeeding(
	["journal", "nats"],
	"agent whose stream is restored from a backup reads the rest again from the journal, and says that the stream went back",
	async () => {
		using directory = temporaryDirectory();
		await using server = await NatsServer.start();
		const journal = directory.join("journal");
		await writeJournal(journal, ordinaryEntries(count));
		await using agent = new Agent({ arguments: writeNodeConfig(directory, { natsUrl: server.url, journal, orchestrator: smallBatches }) });
		await waitUntil("some of it is delivered", async () => (await deliveredUpTo(server, systemd)) > 200, 20_000);
		const data = join(server.directory, "js");
		const backup = directory.join("backup");
		await whileHeld(agent, server, async () => {
			await server.kill("SIGTERM");
			cpSync(data, backup, { recursive: true });
			await server.start();
		});
		const before = await deliveredUpTo(server, systemd);
		await waitUntil("more of it is delivered", async () => (await deliveredUpTo(server, systemd)) > before + 500, 20_000);
		await whileHeld(agent, server, async () => {
			await server.kill("SIGTERM");
			rmSync(data, { recursive: true });
			cpSync(backup, data, { recursive: true });
			await server.start();
		});
		await agent.says("The stream holds less than it acknowledged.", 20_000);
		await delivered(server, systemd, count, 60_000);
		await waitUntil("health has been looked at", () => agent.log.includes("what is missing is read and sent again"));
		const end = await agent.stop();
		expect(end.status).toBe(0);
		expectSame(numbersOf(await readEvents(server, systemd)), upTo(count));
	},
	limit,
);

testNeeding(
	["journal", "nats"],
	"agent whose stream is deleted makes it again and goes on in order",
	async () => {
		using directory = temporaryDirectory();
		await using server = await NatsServer.start();
		const journal = directory.join("journal");
		await writeJournal(journal, ordinaryEntries(count));
		await using agent = new Agent({ arguments: writeNodeConfig(directory, { natsUrl: server.url, journal, orchestrator: smallBatches }) });
		await waitUntil("some of it is delivered", async () => (await deliveredUpTo(server, systemd)) > 200, 20_000);
		let gone = 0;
		await whileHeld(agent, server, async () => {
			gone = await deliveredUpTo(server, systemd);
			await manage(server, (manager) => manager.streams.delete("TAPIO"));
		});
		await delivered(server, systemd, count, 60_000);
		const end = await agent.stop();
		expect(end.ledger["systemd"]).toMatchObject({ received: count, published: count, inFlight: 0 });
		expectSame(numbersOf(await readEvents(server, systemd)), upTo(count - gone, gone));
	},
	limit,
);

testNeeding(
	["kernel", "nats"],
	"agent killed with a batch of kernel events on its way skips its number, and counts its events as lost",
	async () => {
		using directory = temporaryDirectory();
		await using server = await NatsServer.start();
		const settings = writeNodeConfig(directory, { natsUrl: server.url, kernel: "" });
		const manifests = () => readFileSync(directory.join("state/lanes/kernel.lane"), "utf8").split('["m"').length;
		{
			await using agent = new Agent({ arguments: settings });
			await agent.says("Kernel programs are attached.");
			await agent.says("Connected to NATS.");
			storm(5);
			await delivered(server, kernel, 15);
			// What reaches the server's socket from now on dies with it.
			server.signal("SIGSTOP");
			const noted = manifests();
			storm(20);
			await waitUntil("another batch is noted", () => manifests() > noted);
			await agent.kill();
			// It must not come to itself before it ends.
			process.kill(server.pid, "SIGKILL");
			await server.kill();
		}
		await server.start();
		const before = await deliveredUpTo(server, kernel);
		await using agent = new Agent({ arguments: settings });
		await agent.says("Kernel programs are attached.");
		await agent.says("Connected to NATS.");
		storm(20);
		await waitUntil("new events are delivered", async () => (await deliveredUpTo(server, kernel)) > before + 40, 20_000);
		const end = await agent.stop();
		expect(end.health["nats"]?.status).toBe("healthy");
		const lost = end.ledger["kernel"]?.lost["previous_run"] ?? 0;
		expect(lost).toBeGreaterThan(0);
		const events = await readEvents(server, kernel);
		const sequences = events.map(({ sequence }) => Number(sequence));
		expectSame(sequences, [...upTo(before, 1), ...upTo(events.length - before, before + lost + 1)]);
		expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
		const numbers = (await server.read("TAPIO")).map(({ headers }) => Number(headers.get("Tapio-Batch")));
		expect(numbers.filter((number, index) => index > 0 && number !== (numbers[index - 1] ?? 0) + 1).length).toBe(1);
	},
	limit,
);
