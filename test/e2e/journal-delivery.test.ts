import { expect } from "bun:test";
import { Agent } from "../support/agent.ts";
import { deliveredUpTo, expectSame, numbersOf, readEvents } from "../support/cloud-events.ts";
import { ordinaryEntries, ordinaryEntry, readWithJournalctl, writeJournal } from "../support/journal-files.ts";
import { NatsServer } from "../support/nats-server.ts";
import { writeNodeConfig } from "../support/node-config.ts";
import { testNeeding } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait-until.ts";

const subject = "tapio.events.test.systemd";
const limit = 120_000;

function upTo(count: number): number[] {
	return Array.from({ length: count }, (_, index) => index);
}

/** Events on the subject so far, by the sequence of the last one. */
const delivered = (server: NatsServer) => deliveredUpTo(server, subject);

testNeeding(
	["journal", "nats"],
	"agent delivers a journal from its head, every entry once, in order, as journalctl prints it",
	async () => {
		using directory = temporaryDirectory();
		await using server = await NatsServer.start();
		const journal = directory.join("journal");
		const count = 20_000;
		await writeJournal(journal, ordinaryEntries(count));
		await using agent = new Agent({ arguments: writeNodeConfig(directory, { natsUrl: server.url, journal }) });
		await waitUntil("everything is delivered", async () => (await delivered(server)) === count, 30_000);
		const end = await agent.stop();
		expect(end.status).toBe(0);
		expect(end.ledger["systemd"]).toMatchObject({ received: count, published: count, inFlight: 0 });
		const events = await readEvents(server, subject);
		expectSame(numbersOf(events), upTo(count));
		expectSame(
			events.map(({ data }) => data.raw),
			await readWithJournalctl(journal),
		);
		expect(new Set(events.map(({ id }) => id)).size).toBe(count);
		expectSame(
			events.map(({ sequence }) => Number(sequence)),
			upTo(count).map((number) => number + 1),
		);
		const first = events[0];
		expect(first).toMatchObject({
			specversion: "1.0",
			source: "/default/test/systemd",
			type: "tapio.systemd.entry",
			severitytext: "ERROR",
			subject: "kubelet.service",
		});
		expect(first?.data.metadata).toEqual({ unit: "kubelet.service", hostname: "node-01", priority: "3" });
		expect(first?.time).toBe("2025-09-26T09:46:40.000000Z");
	},
	limit,
);

testNeeding(
	["journal", "nats"],
	"agent stopped in the middle of a backlog and started again delivers nothing twice and misses nothing",
	async () => {
		using directory = temporaryDirectory();
		await using server = await NatsServer.start();
		const journal = directory.join("journal");
		const count = 60_000;
		await writeJournal(journal, ordinaryEntries(count));
		const settings = writeNodeConfig(directory, { natsUrl: server.url, journal });
		let published = 0;
		for (let round = 0; round < 3; round++) {
			const before = published;
			await using agent = new Agent({ arguments: settings });
			await waitUntil("some of it is delivered", async () => (await delivered(server)) > before, 20_000);
			const end = await agent.stop();
			expect(end.status).toBe(0);
			published += end.ledger["systemd"]?.published ?? 0;
			expect(await delivered(server)).toBe(published);
		}
		await using agent = new Agent({ arguments: settings });
		await waitUntil("everything is delivered", async () => (await delivered(server)) === count, 30_000);
		await agent.stop();
		expectSame(numbersOf(await readEvents(server, subject)), upTo(count));
	},
	limit,
);

testNeeding(
	["journal", "nats"],
	"agent killed, its child killed, its server killed: every entry once and in order",
	async () => {
		using directory = temporaryDirectory();
		await using server = await NatsServer.start();
		const journal = directory.join("journal");
		const count = 60_000;
		await writeJournal(journal, ordinaryEntries(count));
		const settings = writeNodeConfig(directory, { natsUrl: server.url, journal });
		{
			await using agent = new Agent({ arguments: settings });
			await waitUntil("some of it is delivered", async () => (await delivered(server)) > 0, 20_000);
			const children = agent.children();
			expect(children.length).toBe(1);
			await agent.kill();
			await waitUntil("the child has followed its parent", () => children.every((pid) => Bun.spawnSync(["kill", "-0", String(pid)]).exitCode !== 0));
		}
		await using agent = new Agent({ arguments: settings });
		await waitUntil("the child runs", () => agent.children().length === 1);
		for (const pid of agent.children()) process.kill(pid, "SIGKILL");
		await agent.says("A collector host ended");
		await server.kill();
		await server.start();
		await waitUntil("everything is delivered", async () => (await delivered(server)) === count, 60_000);
		const end = await agent.stop();
		expect(end.restarts["systemd"]).toBe(1);
		expectSame(numbersOf(await readEvents(server, subject)), upTo(count));
	},
	limit,
);

testNeeding(
	["journal", "nats"],
	"agent keeps what is odd in a journal as journalctl does, and cuts only what no message can carry",
	async () => {
		using directory = temporaryDirectory();
		await using server = await NatsServer.start({ maxPayload: 128 * 1024 });
		const journal = directory.join("journal");
		const odd = [
			"plain",
			"käyttäjä ✓ 🐟",
			"two\nlines\tand a tab",
			'quotes " and \\ backslashes',
			"\u001b[31mred\u001b[0m and a bell \u0007",
			"C1 \u0085 control, noncharacter \ufdd0 \uffff, private \ue000",
			new Uint8Array([0x66, 0xff, 0xfe, 0x00, 0x67]),
			new Uint8Array([0xed, 0xa0, 0x80]),
			"",
		];
		const entries = [
			...odd.map((message, index) => ordinaryEntry(index, message)),
			[...ordinaryEntry(odd.length), ["TAG", "one"], ["TAG", "two"], ["TAG", "three"]] as const,
			ordinaryEntry(odd.length + 1, "x".repeat(300_000)),
			ordinaryEntry(odd.length + 2),
		];
		await writeJournal(journal, entries);
		await using agent = new Agent({ arguments: writeNodeConfig(directory, { natsUrl: server.url, journal }) });
		await waitUntil("everything is delivered", async () => (await delivered(server)) === entries.length, 20_000);
		const end = await agent.stop();
		expect(end.ledger["systemd"]).toMatchObject({ published: entries.length, truncated: 1 });
		const events = await readEvents(server, subject);
		const expected = await readWithJournalctl(journal);
		const large = odd.length + 1;
		for (const [index, event] of events.entries()) {
			if (index !== large) expect(event.data.raw).toEqual(expected[index] ?? {});
		}
		expect(events[large]?.truncated).toBe(true);
		expect(events[large]?.data.altered).toEqual([{ field: "raw.MESSAGE", reason: "cut", bytes: 300_000 }]);
		expect(String(events[large]?.data.raw?.["MESSAGE"])).toMatch(/^x{60000,}$/);
		for (const message of await server.read("TAPIO")) expect(message.body.length).toBeLessThanOrEqual(128 * 1024);
	},
	limit,
);

testNeeding(
	["journal", "nats"],
	"agent with a unit filter delivers what journalctl --unit prints",
	async () => {
		using directory = temporaryDirectory();
		await using server = await NatsServer.start();
		const journal = directory.join("journal");
		const manager = [
			["_HOSTNAME", "node-01"],
			["_PID", "1"],
			["_SYSTEMD_UNIT", "init.scope"],
			["UNIT", "nginx.service"],
			["TAPIO_SEQ", "999999"],
			["MESSAGE", "Started nginx.service."],
		] as const;
		await writeJournal(journal, [...ordinaryEntries(3000), manager, ...ordinaryEntries(3000, 3000)]);
		const expected = await readWithJournalctl(journal, "--unit", "nginx.service", "--unit", "sshd.service");
		expect(expected.length).toBeGreaterThan(1000);
		const settings = writeNodeConfig(directory, { natsUrl: server.url, journal, units: "nginx, sshd.service" });
		await using agent = new Agent({ arguments: settings });
		await waitUntil("everything is delivered", async () => (await delivered(server)) === expected.length, 20_000);
		await agent.stop();
		expectSame(
			(await readEvents(server, subject)).map(({ data }) => data.raw),
			expected,
		);
	},
	limit,
);
