import { expect } from "bun:test";
import { mkdirSync, renameSync } from "node:fs";
import { dirname, join } from "node:path";
import { systemClock } from "../../src/platform/clock.ts";
import { Agent } from "../support/agent.ts";
import { type CloudEvent, expectSame, numbersOf, readEvents } from "../support/cloud-events.ts";
import { expectAccount } from "../support/expect-account.ts";
import { readWithJournalctl } from "../support/journal-files.ts";
import { fieldOf, JournalReader } from "../support/journal-reader.ts";
import { Journald } from "../support/journald.ts";
import { NatsServer } from "../support/nats-server.ts";
import { writeNodeConfig } from "../support/node-config.ts";
import { quantile, upTo } from "../support/numbers.ts";
import { testNeeding } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait-until.ts";

const limit = 60_000;
const subject = "tapio.events.test.systemd";

/** Milliseconds since an entry was sent, by the stamp that its sender put into it. */
function age(raw: unknown): number {
	return systemClock.now() - Number(fieldOf(raw, "TAPIO_SENT")) / 1000;
}

testNeeding(
	["journald", "clang"],
	"journal reader has an entry of a living journald within 25 ms",
	async () => {
		await using journald = await Journald.start();
		using reader = new JournalReader(journald.path, { config: { poll_interval: "20ms" } }).start();
		reader.readAll();
		const count = 300;
		const ages: number[] = [];
		let seen = reader.events.length;
		const sending = journald.send(count, 0, 7000);
		await reader.follow("every entry is read", () => {
			for (; seen < reader.events.length; seen++) {
				const raw = reader.events[seen]?.data.raw;
				if (fieldOf(raw, "TAPIO_SENT") !== undefined) ages.push(age(raw));
			}
			return ages.length === count;
		});
		await sending;
		expectSame(reader.numbers, upTo(count));
		process.stderr.write(`reader alone: p50 ${quantile(ages, 0.5).toFixed(1)} ms, p99 ${quantile(ages, 0.99).toFixed(1)} ms\n`);
		expect(quantile(ages, 0.5)).toBeLessThan(25);
	},
	limit,
);

testNeeding(
	["journald", "clang", "nats"],
	"agent brings an entry of a living journald into the stream within the rests of reader, drain and batch",
	async () => {
		using directory = temporaryDirectory();
		await using server = await NatsServer.start();
		await using journald = await Journald.start();
		const settings = { natsUrl: server.url, journal: journald.path, orchestrator: "batch: { max_delay: 5ms }" };
		await using agent = new Agent({ arguments: writeNodeConfig(directory, settings) });
		const client = await server.client();
		const ages: number[] = [];
		client.subscribe(subject, {
			callback: (_error, message) => {
				for (const event of message.json<{ data: { raw?: unknown } }[]>()) {
					if (fieldOf(event.data.raw, "TAPIO_SENT") !== undefined) ages.push(age(event.data.raw));
				}
			},
		});
		await client.flush();
		const warm = 50;
		await journald.send(warm, 0);
		await waitUntil("the agent follows", () => ages.length === warm);
		ages.length = 0;
		const count = 300;
		await journald.send(count, warm, 7000);
		await waitUntil("everything is there", () => ages.length === count);
		await client.close();
		const end = await agent.stop();
		const numbers = numbersOf(await readEvents(server, subject)).filter((number) => !Number.isNaN(number));
		expectSame(numbers, upTo(warm + count));
		expectAccount(end.ledger["systemd"], { dropped: {}, lost: {}, inFlight: 0 });
		process.stderr.write(`agent to stream: p50 ${quantile(ages, 0.5).toFixed(1)} ms, p99 ${quantile(ages, 0.99).toFixed(1)} ms\n`);
		expect(quantile(ages, 0.5)).toBeLessThan(60);
	},
	limit,
);

testNeeding(
	["journald", "clang", "nats"],
	"agent follows a journal through rotation and vacuum of its files, every entry once and in order",
	async () => {
		await using scene = await follow();
		const { journald, numbers, reaches } = scene;
		const count = 4000;
		await journald.send(500, 0);
		const sending = journald.send(count - 500, 500, 500);
		for (const reached of [600, 1400, 2200, 3000]) {
			await reaches(reached);
			await journald.rotate();
			// What is removed is zeroed at once, for who has the file open as well: it is to be read first.
			await reaches(reached + 400);
			journald.vacuum(1);
		}
		await sending;
		await journald.rotate();
		await reaches(count - 1);
		const end = await scene.agent.stop();
		expectSame(numbers(), upTo(count));
		expectAccount(end.ledger["systemd"], { dropped: {}, lost: {}, derived: 0, inFlight: 0 });
		// The first files are gone: it was no rereading of them that made it whole.
		expect((await readWithJournalctl(journald.path)).length).toBeLessThan(count);
	},
	limit,
);

testNeeding(
	["journald", "clang", "nats"],
	"agent that is held up while files come and go counts every entry that went with them",
	async () => {
		await using scene = await follow();
		const { journald, numbers, reaches, agent } = scene;
		await journald.send(300, 0);
		await reaches(299);
		const [child] = agent.children();
		if (child === undefined) throw new Error("The agent has no child");
		process.kill(child, "SIGSTOP");
		for (const first of [300, 600, 900]) {
			await journald.send(300, first);
			await journald.rotate();
			journald.vacuum(1);
		}
		process.kill(child, "SIGCONT");
		await journald.send(300, 1200);
		await reaches(1499);
		const end = await agent.stop();
		const gaps = scene.events.filter(({ type }) => type === "tapio.systemd.gap");
		const entries = scene.events.filter(({ type }) => type === "tapio.systemd.entry");
		const lost = gaps.reduce((sum, { data }) => sum + Number(data.attributes?.["tapio.gap.lost"]), 0);
		expect(lost).toBeGreaterThan(200);
		expect(end.ledger["systemd"]).toMatchObject({
			dropped: {},
			lost: { vacuumed: lost },
			derived: gaps.length,
			published: entries.length + gaps.length,
		});
		const [first, last] = [entries[0], entries.at(-1)].map((event) => Number.parseInt(String(event?.id).split("-")[1] ?? "", 16));
		expect(entries.length + lost).toBe((last ?? 0) - (first ?? 0) + 1);
		expect(new Set(numbers()).size).toBe(numbers().length);
	},
	limit,
);

testNeeding(
	["journald", "clang", "nats"],
	"agent goes on when the folder of the journal was moved away and made anew",
	async () => {
		await using scene = await follow();
		const { journald, numbers, reaches } = scene;
		const path = join(journald.path, dirname(journald.files()[0] ?? ""));
		await journald.send(50, 0);
		await reaches(49);
		renameSync(path, `${path}.old`);
		mkdirSync(path);
		await journald.rotateInto(path);
		await journald.send(50, 50);
		await reaches(99);
		await scene.agent.stop();
		expectSame(numbers(), upTo(100));
	},
	limit,
);

/** A journald, an agent that follows it, and what arrives in the stream as it arrives. */
async function follow() {
	await using stack = new AsyncDisposableStack();
	const directory = stack.use(temporaryDirectory());
	const server = stack.use(await NatsServer.start());
	const journald = stack.use(await Journald.start());
	const agent = stack.use(new Agent({ arguments: writeNodeConfig(directory, { natsUrl: server.url, journal: journald.path }) }));
	const events: CloudEvent[] = [];
	const client = await server.client();
	stack.defer(() => client.close());
	client.subscribe(subject, { callback: (_error, message) => void events.push(...message.json<CloudEvent[]>()) });
	await client.flush();
	const numbers = () => events.flatMap(({ data }) => data.raw?.["TAPIO_SEQ"] ?? []).map(Number);
	const reaches = (number: number) =>
		waitUntil(`entry ${number} is there; the agent said:\n${agent.log}`, () => (numbers().at(-1) ?? -1) >= number, 20_000);
	const moved = stack.move();
	return { journald, agent, events, numbers, reaches, [Symbol.asyncDispose]: () => moved.disposeAsync() };
}
