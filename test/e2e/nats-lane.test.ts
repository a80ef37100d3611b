import { expect } from "bun:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { OperatingError } from "../../src/base/errors.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { startProxy } from "../support/nats-proxy.ts";
import { NatsServer } from "../support/nats-server.ts";
import { batchOf, eventsPerBatch, laneIdentity, positionOf, readEvents, sinkOptions, startSink, upTo } from "../support/nats-sink.ts";
import { testNeeding } from "../support/requires.ts";
import { waitUntil } from "../support/wait-until.ts";

const nats = (name: string, body: () => Promise<void>) => testNeeding("nats", name, body, limitMs);
const limitMs = 40_000;

async function codeOf(promise: Promise<unknown>): Promise<string> {
	try {
		await promise;
		return "resolved";
	} catch (error) {
		return error instanceof OperatingError ? error.code : String(error);
	}
}

async function expectExactlyOnce(server: NatsServer, batches: number): Promise<void> {
	const { sequences, faults } = readEvents(await server.read("TAPIO"));
	expect(faults).toEqual([]);
	expect(sequences).toEqual(upTo(batches * eventsPerBatch));
}

nats("SinkLane delivers each batch once, in order, with its headers", async () => {
	await using server = await NatsServer.start();
	await using test = startSink(sinkOptions(server.url, { node: "ip-10.eu", cluster: "a\r\nb" }));
	const lane = await test.open({ node: "ip-10.eu", cluster: "a\r\nb" });
	for (let number = 1; number <= 20; number++) expect(await lane.send(batchOf(number), test.abort.signal)).toEqual(positionOf(number));
	await expectExactlyOnce(server, 20);
	expect(lane.published).toBe(20 * eventsPerBatch);
	const [first] = await server.read("TAPIO");
	expect(first?.subject).toBe("tapio.events.ip-10%2Eeu.systemd");
	expect(Object.fromEntries(first?.headers ?? [])).toEqual({
		"content-type": "application/cloudevents-batch+json",
		"Tapio-Cluster": "a%0D%0Ab",
		"Tapio-Node": "ip-10.eu",
		"Tapio-Collector": "systemd",
		"Tapio-Lane": "0a1b2c",
		"Tapio-Batch": "1",
		"Tapio-Count": "5",
		"Tapio-Last-Sequence": "5",
		"Tapio-Published": "5",
		"Tapio-Last-Cursor": "s=1;i=5",
		"Nats-Msg-Id": "0a1b2c-1",
		"Nats-Expected-Stream": "TAPIO",
		"Nats-Expected-Last-Subject-Sequence": "0",
	});
	expect(test.sink.statistics()).toMatchObject({ batches: 20, events: 100, errors: 0, retries: 0 });
	expect(test.sink.health().status).toBe("healthy");
});

nats("SinkLane compresses with zstd and says so", async () => {
	await using server = await NatsServer.start();
	await using test = startSink(sinkOptions(server.url, { compression: "zstd" }));
	const lane = await test.open();
	for (let number = 1; number <= 3; number++) await lane.send(batchOf(number, 10_000), test.abort.signal);
	await expectExactlyOnce(server, 3);
	const messages = await server.read("TAPIO");
	expect(messages.every(({ headers, body }) => headers.get("Content-Encoding") === "zstd" && body.length < 1000)).toBe(true);
});

nats("SinkLane.open() repairs a state that is behind the stream", async () => {
	await using server = await NatsServer.start();
	{
		await using first = startSink(sinkOptions(server.url));
		const lane = await first.open();
		for (let number = 1; number <= 7; number++) await lane.send(batchOf(number), first.abort.signal);
	}
	await using second = startSink(sinkOptions(server.url));
	const lane = second.sink.lane(laneIdentity);
	expect(await lane.open({ ...positionOf(4), fresh: false }, second.abort.signal)).toEqual(positionOf(7));
	await lane.send(batchOf(8), second.abort.signal);
	await expectExactlyOnce(server, 8);
});

nats("SinkLane.send() finds that a batch is stored already, and stores it no second time", async () => {
	await using server = await NatsServer.start();
	await using first = startSink(sinkOptions(server.url));
	await using second = startSink(sinkOptions(server.url));
	const lane = await first.open();
	await lane.send(batchOf(1), first.abort.signal);
	const same = await second.open({}, { ...positionOf(1), fresh: false });
	await lane.send(batchOf(2), first.abort.signal);
	expect(await same.send(batchOf(2), second.abort.signal)).toEqual(positionOf(2));
	await expectExactlyOnce(server, 2);
});

nats("SinkLane.send() gets over a lost acknowledgement without the duplicate window", async () => {
	await using server = await NatsServer.start();
	using proxy = await startProxy(() => server.port);
	await using client = await server.client();
	const manager = await jetstreamManager(client);
	await manager.streams.add({ name: "TAPIO", subjects: ["tapio.events.>"], duplicate_window: 100_000_000 });
	await using test = startSink(sinkOptions(proxy.url));
	const lane = await test.open();
	for (let number = 1; number <= 6; number++) {
		if (number % 2 === 0) {
			proxy.set("mute");
			const sent = lane.send(batchOf(number), test.abort.signal);
			await waitUntil("the batch is stored", async () => (await manager.streams.info("TAPIO")).state.messages === number, 5000);
			proxy.set("pass");
			proxy.cut();
			expect(await sent).toEqual(positionOf(number));
		} else await lane.send(batchOf(number), test.abort.signal);
	}
	await expectExactlyOnce(server, 6);
	expect(test.sink.statistics().errors).toBeGreaterThanOrEqual(3);
});

nats("SinkLane refuses the late bytes of a dead connection by its guard", async () => {
	await using server = await NatsServer.start();
	using proxy = await startProxy(() => server.port);
	await using client = await server.client();
	const manager = await jetstreamManager(client);
	// A window so short that only the guard is left.
	await manager.streams.add({ name: "TAPIO", subjects: ["tapio.events.>"], duplicate_window: 100_000_000 });
	await using test = startSink(sinkOptions(proxy.url));
	const lane = await test.open();
	await lane.send(batchOf(1), test.abort.signal);
	proxy.set("hold");
	const sent = lane.send(batchOf(2), test.abort.signal);
	await waitUntil("bytes are held", () => proxy.held > 0, 5000);
	proxy.set("pass");
	proxy.cut();
	expect(await sent).toEqual(positionOf(2));
	await lane.send(batchOf(3), test.abort.signal);
	await systemClock.sleep(200); // The window of the stream has to pass: it is a wait of the server, which shows nothing when it is over.
	proxy.release();
	await lane.send(batchOf(4), test.abort.signal);
	await expectExactlyOnce(server, 4);
});

nats("SinkLane goes on behind a batch of its own predecessor that arrives late under a number that it skipped", async () => {
	await using server = await NatsServer.start();
	using proxy = await startProxy(() => server.port);
	await using before = startSink(sinkOptions(proxy.url));
	const predecessor = await before.open();
	await predecessor.send(batchOf(1), before.abort.signal);
	proxy.set("hold");
	const lost = predecessor.send(batchOf(2), before.abort.signal).catch(() => undefined);
	await waitUntil("bytes are held", () => proxy.held > 0, 5000);
	await using after = startSink(sinkOptions(server.url));
	const lane = await after.open({}, positionOf(1));
	proxy.set("pass");
	proxy.release();
	await waitUntil("the late batch is stored", async () => (await server.read("TAPIO")).length === 2, 5000);
	before.abort.abort();
	await lost;
	expect(await lane.send(batchOf(3), after.abort.signal)).toEqual(positionOf(3));
	await expectExactlyOnce(server, 3);
});

nats("SinkLane takes over a place from a fresh state folder, and says so", async () => {
	await using server = await NatsServer.start();
	await using test = startSink(sinkOptions(server.url));
	const old = await test.open({ id: "01d" });
	await old.send(batchOf(1), test.abort.signal);
	const lane = test.sink.lane({ ...laneIdentity, id: "beef" });
	const position = await lane.open({ batch: 0, cursor: "", sequence: 0, fresh: true }, test.abort.signal);
	expect(position).toEqual({
		batch: 0,
		cursor: "",
		sequence: 0,
		finding: { kind: "adopted", lane: "01d", batch: 1, cursor: positionOf(1).cursor, sequence: positionOf(1).sequence, run: 0 },
	});
	await lane.send(batchOf(1), test.abort.signal);
	await lane.send(batchOf(2), test.abort.signal);
	// The old one is not fresh, and stops.
	expect(await codeOf(old.send(batchOf(2), test.abort.signal))).toBe("two_writers");
	expect(test.sink.health()).toMatchObject({ status: "unhealthy" });
	expect(test.sink.health().message).toContain("beef");
	expect((await server.read("TAPIO")).map(({ headers }) => headers.get("Nats-Msg-Id"))).toEqual(["01d-1", "beef-1", "beef-2"]);
});

nats("SinkLane.open() takes a place over again where nothing was delivered since, and else refuses a foreign lane", async () => {
	await using server = await NatsServer.start();
	await using test = startSink(sinkOptions(server.url));
	const old = await test.open({ id: "01d" });
	await old.send(batchOf(1), test.abort.signal);
	const lane = test.sink.lane({ ...laneIdentity, id: "beef" });
	expect(await codeOf(lane.open({ batch: 0, cursor: "", sequence: 0 }, test.abort.signal))).toBe("two_writers");
	expect(await codeOf(lane.open({ ...positionOf(3) }, test.abort.signal))).toBe("two_writers");
	expect(test.sink.health().status).toBe("unhealthy");
	expect((await lane.open({ batch: 0, cursor: "", sequence: 0, adopted: "01d" }, test.abort.signal)).finding?.kind).toBe("adopted");
	expect(test.sink.health().status).toBe("healthy");
});

nats("SinkLane stops where a copy of its state folder writes under the same id", async () => {
	await using server = await NatsServer.start();
	await using one = startSink(sinkOptions(server.url));
	await using two = startSink(sinkOptions(server.url));
	const lane = await one.open();
	await lane.send(batchOf(1), one.abort.signal);
	const copy = await two.open({}, { ...positionOf(1), fresh: false });
	await copy.send(batchOf(2), two.abort.signal);
	const other = { ...batchOf(2), lastCursor: "s=2;i=1", lastSequence: 999 };
	expect(await codeOf(lane.send(other, one.abort.signal))).toBe("two_writers");
	expect(one.sink.health().message).toContain("a copy of this agent's state folder");
});

nats("SinkLane says where the stream stands when it lost what it acknowledged", async () => {
	await using server = await NatsServer.start();
	await using client = await server.client();
	const manager = await jetstreamManager(client);
	await using test = startSink(sinkOptions(server.url));
	const lane = await test.open();
	for (let number = 1; number <= 5; number++) await lane.send(batchOf(number), test.abort.signal);
	await manager.streams.deleteMessage("TAPIO", 5);
	await manager.streams.deleteMessage("TAPIO", 4);
	await server.kill();
	await server.start();
	const back = await lane.send(batchOf(6), test.abort.signal);
	expect(back).toEqual({ ...positionOf(3), finding: { kind: "went_back", acknowledged: 5 } });
	for (let number = 4; number <= 6; number++) expect(await lane.send(batchOf(number), test.abort.signal)).toEqual(positionOf(number));
	await expectExactlyOnce(server, 6);
	expect(test.log.some(({ level }) => level === "error")).toBe(true);
});

nats("SinkLane takes a batch for delivered that was stored and then removed", async () => {
	await using server = await NatsServer.start();
	using proxy = await startProxy(() => server.port);
	await using client = await server.client();
	const manager = await jetstreamManager(client);
	await using test = startSink(sinkOptions(proxy.url));
	const lane = await test.open();
	proxy.set("mute");
	const sent = lane.send(batchOf(1), test.abort.signal);
	await waitUntil("the batch is stored", async () => (await manager.streams.info("TAPIO")).state.messages === 1, 5000);
	await manager.streams.purge("TAPIO");
	proxy.set("pass");
	proxy.cut();
	expect(await sent).toEqual(positionOf(1));
	expect(await lane.send(batchOf(2), test.abort.signal)).toEqual(positionOf(2));
	expect((await server.read("TAPIO")).map(({ headers }) => headers.get("Tapio-Batch"))).toEqual(["2"]);
});

nats("SinkLane goes on behind a stream that was purged or made anew", async () => {
	await using server = await NatsServer.start();
	await using client = await server.client();
	const manager = await jetstreamManager(client);
	await using test = startSink(sinkOptions(server.url));
	const lane = await test.open();
	for (let number = 1; number <= 3; number++) await lane.send(batchOf(number), test.abort.signal);
	await manager.streams.purge("TAPIO");
	for (let number = 4; number <= 6; number++) expect(await lane.send(batchOf(number), test.abort.signal)).toEqual(positionOf(number));
	await manager.streams.delete("TAPIO");
	for (let number = 7; number <= 9; number++) expect(await lane.send(batchOf(number), test.abort.signal)).toEqual(positionOf(number));
	expect((await server.read("TAPIO")).map(({ headers }) => Number(headers.get("Tapio-Batch")))).toEqual([7, 8, 9]);
});

nats("Sink keeps at most `workers` batches in flight over all lanes", async () => {
	await using server = await NatsServer.start();
	using proxy = await startProxy(() => server.port);
	await using test = startSink(sinkOptions(proxy.url, { workers: 2, timing: { acknowledgeMs: 20_000 } }));
	const lanes = await Promise.all(upTo(5).map((index) => test.open({ collector: `c${index}`, id: `ab${index}` })));
	proxy.set("hold");
	const sent = lanes.map((lane) => lane.send(batchOf(1, 10_000), test.abort.signal));
	await waitUntil("bytes are held", () => proxy.held >= 20_000, 5000);
	expect(proxy.held).toBeLessThan(30_000);
	proxy.set("pass");
	proxy.release();
	await Promise.all(sent);
	expect(await server.read("TAPIO")).toHaveLength(5);
});

nats("SinkLane.send() rejects with the signal's reason, and stop() with nats_stopped", async () => {
	await using server = await NatsServer.start();
	await using test = startSink(sinkOptions(server.url));
	const lane = await test.open();
	await server.kill();
	const aborted = new AbortController();
	const one = codeOf(lane.send(batchOf(1), aborted.signal));
	aborted.abort();
	expect(await one).toContain("AbortError");
	const two = codeOf(lane.send(batchOf(1), test.abort.signal));
	await test.sink.stop();
	await test.sink.stop();
	expect(await two).toBe("nats_stopped");
	expect(test.sink.health().status).toBe("unknown");
});
