import { expect } from "bun:test";
import { DiscardPolicy, jetstreamManager, RetentionPolicy, StorageType } from "@nats-io/jetstream";
import { describeError, OperatingError } from "../../src/base/errors.ts";
import { bytes, milliseconds } from "../../src/base/units.ts";
import { NatsServer } from "../support/nats-server.ts";
import { batchOf, eventsPerBatch, positionOf, readEvents, sinkOptions, startSink, upTo } from "../support/nats-sink.ts";
import { testNeeding } from "../support/requires.ts";
import { waitUntil } from "../support/wait-until.ts";

const nats = (name: string, body: () => Promise<void>) => testNeeding("nats", name, body, limitMs);
const limitMs = 40_000;

nats("Sink creates the stream as configured where there is none", async () => {
	await using server = await NatsServer.start();
	await using test = startSink(sinkOptions(server.url, { jetstream: { maxBytes: bytes(1_000_000), duplicateWindowMs: milliseconds(90_000) } }));
	await test.healthy((status) => status === "healthy");
	await using client = await server.client();
	const { config } = await (await jetstreamManager(client)).streams.info("TAPIO");
	expect(config).toMatchObject({
		subjects: ["tapio.events.>"],
		storage: StorageType.File,
		retention: RetentionPolicy.Limits,
		discard: DiscardPolicy.Old,
		num_replicas: 1,
		max_age: 3_600_000_000_000,
		max_bytes: 1_000_000,
		duplicate_window: 90_000_000_000,
	});
});

nats("Sink uses a stream that exists as it is, and names each difference", async () => {
	await using server = await NatsServer.start();
	await using client = await server.client();
	const manager = await jetstreamManager(client);
	await manager.streams.add({
		name: "TAPIO",
		subjects: ["tapio.events.*.systemd"],
		storage: StorageType.Memory,
		max_age: 5_000_000_000,
		duplicate_window: 1_000_000_000,
	});
	const before = (await manager.streams.info("TAPIO")).config;
	await using test = startSink(sinkOptions(server.url));
	const message = await test.healthy((status) => status !== "unknown");
	// The stream takes the collector of this lane alone: refused for the others it would be to find out later.
	expect(test.sink.health().status).toBe("unhealthy");
	expect(message).toContain("does not take tapio.events.node-1.any");
	await manager.streams.update("TAPIO", { subjects: ["tapio.>"] });
	const differing = await test.healthy((status) => status === "degraded");
	for (const name of [
		"storage is memory, wanted file",
		"max_age is 5s, wanted 3600s",
		"max_bytes is unlimited",
		"duplicate_window is 1s, wanted 120s",
	]) {
		expect(differing).toContain(name);
	}
	expect(differing).not.toContain("subjects");
	const lane = await test.open();
	await lane.send(batchOf(1), test.abort.signal);
	expect((await manager.streams.info("TAPIO")).config).toEqual({ ...before, subjects: ["tapio.>"] });
});

for (const retention of [RetentionPolicy.Workqueue, RetentionPolicy.Interest]) {
	nats(`Sink refuses a stream with ${retention} retention`, async () => {
		await using server = await NatsServer.start();
		await using client = await server.client();
		await (await jetstreamManager(client)).streams.add({ name: "TAPIO", subjects: ["tapio.events.>"], retention });
		await using test = startSink(sinkOptions(server.url));
		const message = await test.healthy((status) => status === "unhealthy");
		expect(message).toContain(`has ${retention} retention`);
		expect(message).toContain("limits retention");
	});
}

nats("Sink creates nothing unless it manages the stream, and goes on when somebody made it", async () => {
	await using server = await NatsServer.start();
	await using test = startSink(sinkOptions(server.url, { jetstream: { manage: false } }));
	const message = await test.healthy((status) => status === "unhealthy");
	expect(message).toContain("There is no stream TAPIO (create it with the subjects tapio.events.>");
	await using client = await server.client();
	const manager = await jetstreamManager(client);
	await manager.streams.add({ name: "TAPIO", subjects: ["tapio.events.>"] });
	await test.healthy((status) => status === "degraded");
	expect(test.sink.health().message).toContain("is used as it is");
});

nats("Sink says that its subjects belong to another stream", async () => {
	await using server = await NatsServer.start();
	await using client = await server.client();
	await (await jetstreamManager(client)).streams.add({ name: "OTHER", subjects: ["tapio.>"] });
	await using test = startSink(sinkOptions(server.url));
	expect(await test.healthy((status) => status === "unhealthy")).toContain("belong to another stream");
});

nats("Sink says that a server has no JetStream, or none for this account", async () => {
	await using server = await NatsServer.start({ jetstream: false });
	await using test = startSink(sinkOptions(server.url));
	expect(await test.healthy((status) => status === "unhealthy")).toContain("no JetStream");
	const accounts = "accounts { A { users = [{ user: a, password: a }] }, B { jetstream: enabled, users = [{ user: b, password: b }] } }";
	await using other = await NatsServer.start({ config: accounts });
	await using second = startSink(sinkOptions(other.url, { authentication: { kind: "password", username: "a", password: "a" } }));
	expect(await second.healthy((status) => status === "unhealthy")).toContain("no JetStream");
});

nats("Sink says which permission is missing, and works with exactly those of a node", async () => {
	const allowed = ["tapio.events.node-1.>", "$JS.API.STREAM.INFO.TAPIO", "$JS.API.STREAM.MSG.GET.TAPIO"];
	const user = (publish: readonly string[]) =>
		`authorization { users = [{ user: admin, password: admin }, { user: node, password: node, permissions: { publish: ${JSON.stringify(publish)}, subscribe: ["_INBOX.node-1.>"] } }] }`;
	const authentication = { kind: "password", username: "node", password: "node" } as const;
	await using server = await NatsServer.start({ config: user(allowed) });
	await using client = await server.client({ user: "admin", pass: "admin" });
	await (await jetstreamManager(client)).streams.add({ name: "TAPIO", subjects: ["tapio.events.>"] });
	const options = sinkOptions(server.url, { authentication, inboxPrefix: "_INBOX.node-1" });
	{
		await using test = startSink(options);
		const lane = await test.open();
		expect(await lane.send(batchOf(1), test.abort.signal)).toEqual(positionOf(1));
		const foreign = test.open({ node: "node-2" });
		// What this node may not do shows as what it is, not as silence.
		void foreign.then((other) => other.send(batchOf(1), test.abort.signal)).catch(() => undefined);
		expect(await test.healthy((status) => status === "unhealthy")).toContain("publish to tapio.events.node-2.systemd");
	}
	server.reload(user(allowed.slice(0, 1)));
	await using test = startSink(options);
	// While it reads its configuration the server refuses everybody.
	const message = await test.healthy((_, text) => text.includes("publish to $JS.API.STREAM.INFO.TAPIO"));
	expect(test.sink.health().status).toBe("unhealthy");
	expect(message).toContain("grant it");
});

nats("SinkLane.batchBytesMax() follows the limits of server, stream and configuration", async () => {
	await using server = await NatsServer.start({ maxPayload: 20_000 });
	await using test = startSink(sinkOptions(server.url));
	const lane = await test.open();
	const limit = lane.batchBytesMax();
	expect(limit).toBeGreaterThan(17_000);
	expect(limit).toBeLessThan(20_000);
	await lane.send(batchOf(1, limit - 300), test.abort.signal);
	const [message] = await server.read("TAPIO");
	expect((message?.body.length ?? 0) <= limit).toBe(true);
	await using client = await server.client();
	await (await jetstreamManager(client)).streams.add({ name: "SMALL", subjects: ["small.>"], max_msg_size: 5000 });
	await using small = startSink(sinkOptions(server.url, { subject: "small", jetstream: { stream: "SMALL" } }));
	expect((await small.open()).batchBytesMax()).toBeLessThan(4000);
});

nats("SinkLane.send() gives a batch back that no longer fits, and takes it cut anew under the same number", async () => {
	await using server = await NatsServer.start();
	await using test = startSink(sinkOptions(server.url));
	const lane = await test.open();
	await lane.send(batchOf(1, 30_000), test.abort.signal);
	server.reload("", { maxPayload: 10_000 });
	let error: unknown;
	await waitUntil("the server has read its configuration", () => server.log.includes("Reloaded: max_payload"), 5000);
	try {
		await lane.send(batchOf(2, 30_000), test.abort.signal);
	} catch (caught) {
		error = caught;
	}
	expect(error instanceof OperatingError ? error.code : "").toBe("batch_too_large");
	expect(error instanceof OperatingError ? error.facts["limit"] : 0).toBe(lane.batchBytesMax());
	expect(describeError(error)).toContain("max_payload");
	// Its driver goes on by itself.
	expect(test.sink.health().status).toBe("healthy");
	expect(await lane.send(batchOf(2, 5000), test.abort.signal)).toEqual(positionOf(2));
	expect(test.sink.health().status).toBe("healthy");
	expect(readEvents(await server.read("TAPIO"))).toEqual({ sequences: upTo(2 * eventsPerBatch), faults: [] });
});

nats("SinkLane.send() waits out a stream that is full and refuses, and one that was deleted", async () => {
	await using server = await NatsServer.start();
	await using client = await server.client();
	const manager = await jetstreamManager(client);
	await manager.streams.add({ name: "TAPIO", subjects: ["tapio.events.>"], discard: DiscardPolicy.New, max_msgs: 3 });
	await using test = startSink(sinkOptions(server.url, { maxReconnects: 3 }));
	const lane = await test.open();
	for (let number = 1; number <= 3; number++) await lane.send(batchOf(number), test.abort.signal);
	const waiting = lane.send(batchOf(4), test.abort.signal);
	const message = await test.healthy((status, text) => status === "degraded" && text.includes("circuit open"));
	expect(message).toContain("is full and refuses new messages (raise its limits");
	await manager.streams.update("TAPIO", { max_msgs: 100 });
	expect(await waiting).toEqual(positionOf(4));
	await lane.send(batchOf(5), test.abort.signal);
	expect(readEvents(await server.read("TAPIO"))).toEqual({ sequences: upTo(5 * eventsPerBatch), faults: [] });
});

nats("Sink without JetStream delivers to who listens", async () => {
	await using server = await NatsServer.start({ jetstream: false });
	await using client = await server.client();
	const got: string[] = [];
	client.subscribe("tapio.events.>", { callback: (_, message) => void got.push(`${message.headers?.get("Tapio-Batch")} ${message.string()}`) });
	await client.flush();
	await using test = startSink(sinkOptions(server.url, { jetstream: { enabled: false } }));
	const lane = await test.open();
	for (let number = 1; number <= 3; number++) expect(await lane.send(batchOf(number), test.abort.signal)).toEqual(positionOf(number));
	await server.kill();
	const waiting = lane.send(batchOf(4), test.abort.signal);
	await server.start();
	expect(await waiting).toEqual(positionOf(4));
	expect(got).toHaveLength(3);
	expect(got[0]).toStartWith('1 [{"sequence":1');
});
