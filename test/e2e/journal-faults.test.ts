import { expect } from "bun:test";
import {
	chmodSync,
	chownSync,
	copyFileSync,
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	truncateSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { Agent, agentPath } from "../support/agent.ts";
import { type CloudEvent, expectSame, numbersOf, readEvents } from "../support/cloud-events.ts";
import { expectAccount } from "../support/expect-account.ts";
import { ordinaryEntries, readWithJournalctl, writeJournal } from "../support/journal-files.ts";
import { Journald } from "../support/journald.ts";
import { NatsServer } from "../support/nats-server.ts";
import { writeNodeConfig } from "../support/node-config.ts";
import { upTo } from "../support/numbers.ts";
import { testNeeding } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait-until.ts";

const subject = "tapio.events.test.systemd";
const limit = 120_000;
/** The user that owns nothing. */
const nobody = 65534;

/** Events on the subject so far. */
async function delivered(server: NatsServer): Promise<readonly CloudEvent[]> {
	await using client = await server.client();
	// nats-server 2.9 panics where a message is asked for while the stream is being made: first be sure that it holds one.
	const info = (await client.request("$JS.API.STREAM.INFO.TAPIO")).json<{ state?: { messages: number } }>();
	return info.state === undefined || info.state.messages === 0 ? [] : await readEvents(server, subject);
}

function numbered(events: readonly CloudEvent[]): number[] {
	return numbersOf(events).filter((number) => !Number.isNaN(number));
}

testNeeding(
	["journald", "clang", "nats"],
	"agent started after files were vacuumed says exactly how many entries went, delivers the others once, and begins behind its position",
	async () => {
		using directory = temporaryDirectory();
		await using server = await NatsServer.start();
		await using journald = await Journald.start();
		const settings = writeNodeConfig(directory, { natsUrl: server.url, journal: journald.path });
		await journald.send(200, 0);
		{
			await using agent = new Agent({ arguments: settings });
			await waitUntil("the beginning is delivered", async () => numbered(await delivered(server)).length === 200);
			await agent.stop();
		}
		const before = (await readEvents(server, subject)).length;
		for (let file = 0; file < 10; file++) {
			await journald.send(100, 200 + file * 100);
			await journald.rotate();
		}
		const machine = join(journald.path, readdirSync(journald.path)[0] ?? "");
		const archives = readdirSync(machine)
			.filter((name) => name.startsWith("system@"))
			.sort();
		expect(archives.length).toBe(10);
		const whole = await readWithJournalctl(journald.path);
		for (const name of archives.slice(0, 4)) rmSync(join(machine, name));
		const rest = await readWithJournalctl(journald.path);
		await using agent = new Agent({ arguments: settings });
		await waitUntil("the end is delivered", async () => numbered(await delivered(server)).at(-1) === 1199);
		const end = await agent.stop();
		const events = (await readEvents(server, subject)).slice(before);
		const [gap, ...others] = events;
		const lost = whole.length - before - rest.length;
		expect(lost).toBeGreaterThan(100);
		expect(gap).toMatchObject({
			type: "tapio.systemd.gap",
			severitytext: "ERROR",
			data: { attributes: { "tapio.gap.before": rest[0]?.["__CURSOR"], "tapio.gap.lost": lost, "tapio.gap.reason": "vacuumed" } },
		});
		expectSame(
			others.map(({ data }) => data.raw?.["__CURSOR"]),
			rest.map((entry) => entry["__CURSOR"]),
		);
		expect(end.ledger["systemd"]).toMatchObject({
			received: rest.length,
			derived: 1,
			published: rest.length + 1,
			dropped: {},
			discarded: {},
			lost: { vacuumed: lost },
		});
	},
	limit,
);

testNeeding(
	["journal", "nats"],
	"agent whose filter lets nothing through keeps its position up to date, and starts behind it",
	async () => {
		using directory = temporaryDirectory();
		await using server = await NatsServer.start();
		const journal = directory.join("journal");
		await writeJournal(journal, ordinaryEntries(500));
		const last = String((await readWithJournalctl(journal)).at(-1)?.["__CURSOR"]);
		const settings = writeNodeConfig(directory, { natsUrl: server.url, journal, units: "none-such.service" });
		const stateFile = directory.join("state/lanes/systemd.lane");
		for (let start = 0; start < 2; start++) {
			await using agent = new Agent({ arguments: settings });
			await waitUntil("the reader runs", () => agent.children().length === 1 && existsSync(stateFile));
			const end = await agent.stop();
			expectAccount(end.ledger["systemd"], { received: 0, published: 0, inFlight: 0, dropped: {}, lost: {} });
			expect(readFileSync(stateFile, "utf8")).toContain(last);
		}
	},
	limit,
);

testNeeding(
	["journal", "nats"],
	"agent under whose reader a file is cut short loses the child alone, and delivers what can be read once",
	async () => {
		using directory = temporaryDirectory();
		await using server = await NatsServer.start();
		const journal = directory.join("journal");
		const count = 60_000;
		await writeJournal(journal, ordinaryEntries(count));
		await using agent = new Agent({ arguments: writeNodeConfig(directory, { natsUrl: server.url, journal }) });
		await waitUntil("some of it is delivered", async () => (await delivered(server)).length > 0, 20_000);
		truncateSync(join(journal, "system.journal"), 4096);
		await agent.says("signal SIGBUS", 20_000);
		await writeJournal(directory.join("next"), ordinaryEntries(100, count), count);
		renameSync(directory.join("next/system.journal"), join(journal, "system@next.journal"));
		await waitUntil("the next file is delivered", async () => numbered(await delivered(server)).includes(count + 99), 60_000);
		const end = await agent.stop();
		expect(end.status).toBe(0);
		expect(end.restarts["systemd"]).toBeGreaterThanOrEqual(1);
		const numbers = numbered(await readEvents(server, subject));
		expect(new Set(numbers).size).toBe(numbers.length);
		const read = numbers.filter((number) => number < count);
		expectSame(read, upTo(read.length));
		expect(read.length).toBeLessThan(count);
		// How much was behind the place where it was cut is unknown, and said to be.
		const gaps = (await readEvents(server, subject)).filter(({ type }) => type === "tapio.systemd.gap");
		expect(gaps.map(({ data }) => data.attributes?.["tapio.gap.lost.known"])).toEqual([false]);
		expectAccount(end.ledger["systemd"], { dropped: {}, derived: 1, inFlight: 0 });
	},
	limit,
);

testNeeding(
	["journal", "nats", "root"],
	"agent without the right to read says so, and reads on once it has it",
	async () => {
		using directory = temporaryDirectory("shared");
		await using server = await NatsServer.start();
		const journal = directory.join("journal");
		await writeJournal(journal, ordinaryEntries(50));
		chmodSync(directory.path, 0o755);
		mkdirSync(directory.join("state"));
		chownSync(directory.join("state"), nobody, nobody);
		chmodSync(join(journal, "system.journal"), 0o600);
		copyFileSync(agentPath, directory.join("agent"));
		const settings = writeNodeConfig(directory, { natsUrl: server.url, journal });
		const prefix = ["setpriv", "--reuid", String(nobody), "--regid", String(nobody), "--clear-groups", "sh", "-c", 'shift; exec "$0" "$@"'];
		const asNobody = { arguments: settings, prefix: [...prefix, directory.join("agent")] };
		await using agent = new Agent(asNobody);
		await agent.says("add the user of the agent to the group systemd-journal", 20_000);
		chmodSync(join(journal, "system.journal"), 0o644);
		await waitUntil("the journal is delivered", async () => (await delivered(server)).length === 50, 40_000);
		// Not the directory either: the child is started again until it is let in.
		chmodSync(journal, 0o700);
		const end = await agent.stop();
		expectAccount(end.ledger["systemd"], { received: 50, published: 50, dropped: {}, lost: {} });
		await using closed = new Agent(asNobody);
		await closed.says(`Open the journal ${journal}`, 20_000);
		await closed.says("Permission denied");
		chmodSync(journal, 0o755);
		await writeJournal(directory.join("next"), ordinaryEntries(10, 50), 50);
		chmodSync(directory.join("next/system.journal"), 0o644);
		renameSync(directory.join("next/system.journal"), join(journal, "system@next.journal"));
		await waitUntil("what came later is delivered", async () => numbered(await delivered(server)).includes(59), 60_000);
		await closed.stop();
	},
	limit,
);

testNeeding(
	["journal", "nats"],
	"agent whose journal directory is not there, or is a file, says so and reads it as soon as it is",
	async () => {
		using directory = temporaryDirectory();
		await using server = await NatsServer.start();
		const journal = directory.join("journal");
		await using agent = new Agent({ arguments: writeNodeConfig(directory, { natsUrl: server.url, journal }) });
		await agent.says(`Open the journal ${journal}: No such file or directory`, 20_000);
		await agent.says("name a directory that holds *.journal files");
		writeFileSync(journal, "");
		await agent.says(`Open the journal ${journal}: Not a directory`, 20_000);
		rmSync(journal);
		await writeJournal(directory.join("made"), ordinaryEntries(50));
		renameSync(directory.join("made"), journal);
		await waitUntil("the journal is delivered", async () => (await delivered(server)).length === 50, 60_000);
		const end = await agent.stop();
		expect(end.status).toBe(0);
		expectSame(numbersOf(await readEvents(server, subject)), upTo(50));
	},
	limit,
);

testNeeding(
	["journal", "nats", "root"],
	"agent on a machine without libsystemd says what to install, and the rest goes on",
	async () => {
		using directory = temporaryDirectory();
		await using server = await NatsServer.start();
		const journal = directory.join("journal");
		await writeJournal(journal, ordinaryEntries(50));
		writeFileSync(directory.join("empty"), "");
		const library = Bun.spawnSync(["sh", "-c", "ldconfig -p | sed -n 's/.*libsystemd.so.0.* => //p' | head -1 | xargs realpath"])
			.stdout.toString()
			.trim();
		expect(library).toContain("libsystemd");
		const hide = [
			"unshare",
			"--mount",
			"--propagation",
			"private",
			"sh",
			"-ec",
			'mount --bind "$1" "$2"; shift 2; exec "$@"',
			"sh",
			directory.join("empty"),
			library,
		];
		await using agent = new Agent({ arguments: writeNodeConfig(directory, { natsUrl: server.url, journal }), prefix: hide });
		await agent.says("Open libsystemd.so.0", 20_000);
		await agent.says("install libsystemd 246 or newer");
		const end = await agent.stop();
		expect(end.status).toBe(0);
		expect(end.health["systemd"]).toMatchObject({ status: "unhealthy", message: expect.stringContaining("libsystemd") });
		expect(end.health["nats"]?.status).toBe("healthy");
	},
	limit,
);
