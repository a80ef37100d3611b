import { expect } from "bun:test";
import { Agent } from "../support/agent.ts";
import { delivered, deliveredUpTo, expectSame, numbersOf, readEvents } from "../support/cloud-events.ts";
import { expectAccount } from "../support/expect-account.ts";
import { ordinaryEntries, writeJournal } from "../support/journal-files.ts";
import { NatsServer } from "../support/nats-server.ts";
import { writeNodeConfig } from "../support/node-config.ts";
import { testNeeding } from "../support/requires.ts";
import { SmallDisk } from "../support/small-disk.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait-until.ts";

const limit = 120_000;
const entries = 20_000;
const subject = "tapio.events.test.systemd";
const numbers = Array.from({ length: entries }, (_, index) => index);
/** So that a backlog lasts for some seconds. */
const smallBatches = "batch: { max_events: 5 }";

for (const killed of [false, true]) {
	const also = killed ? ", and which is killed meanwhile," : "";
	testNeeding(
		["root", "journal", "nats"],
		`agent whose state folder's disk is full for a while${also} says so, and delivers every entry once and in order`,
		async () => {
			await using server = await NatsServer.start();
			using directory = temporaryDirectory();
			// A lane takes up to a mebibyte, and another one while its file is written anew.
			using disk = new SmallDisk(directory.join("state"), 4 << 20);
			await writeJournal(directory.join("journal"), ordinaryEntries(entries));
			const settings = writeNodeConfig(directory, { natsUrl: server.url, journal: directory.join("journal"), orchestrator: smallBatches });
			if (killed) {
				await using agent = new Agent({ arguments: settings });
				await fillWhileItRuns(agent, server, disk);
				await agent.kill();
				disk.empty();
			}
			await using agent = new Agent({ arguments: settings });
			if (!killed) {
				await fillWhileItRuns(agent, server, disk);
				disk.empty();
				await agent.says("The status can be written again.", limit / 4);
			}
			await delivered(server, subject, entries, limit / 2);
			await agent.says("component=systemd status=healthy", limit / 4);
			const end = await agent.stop();
			if (!killed) expectAccount(end.ledger["systemd"], { received: entries, published: entries, dropped: {}, inFlight: 0 });
			expect(end.health["systemd"]?.status).toBe("healthy");
			expectSame(numbersOf(await readEvents(server, subject)), numbers);
		},
		limit * 2,
	);
}

/** Fills the disk in the middle of the backlog, and waits until the agent says what that means. */
async function fillWhileItRuns(agent: Agent, server: NatsServer, disk: SmallDisk): Promise<void> {
	await waitUntil("the backlog is on its way", async () => (await deliveredUpTo(server, subject)) > 500, limit / 4);
	disk.fill();
	await agent.says("The status cannot be written", limit / 4);
	await agent.says("status=degraded", limit / 4);
}
