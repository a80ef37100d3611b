import { expect } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { jetstreamManager } from "@nats-io/jetstream";
import { bytes } from "../../src/base/units.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { makeCertificates } from "../support/certificates.ts";
import { startProxy } from "../support/nats-proxy.ts";
import { NatsServer } from "../support/nats-server.ts";
import { batchOf, eventsPerBatch, positionOf, readEvents, sinkOptions, startSink, upTo } from "../support/nats-sink.ts";
import { testNeeding } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait-until.ts";

const nats = (name: string, body: () => Promise<void>) => testNeeding("nats", name, body, limitMs);
const limitMs = 60_000;

async function expectExactlyOnce(server: NatsServer, batches: number): Promise<void> {
	expect(readEvents(await server.read("TAPIO"))).toEqual({ sequences: upTo(batches * eventsPerBatch), faults: [] });
}

nats("Sink waits for a server that is not there, opens its circuit, and recovers", async () => {
	await using server = await NatsServer.start({ started: false });
	await using test = startSink(sinkOptions(server.url, { maxReconnects: 3 }));
	expect(test.sink.health().status).toBe("unknown");
	const opened = test.open();
	expect(await test.healthy((_, message) => message.includes("circuit open"))).toContain("connection refused");
	expect(test.sink.health().status).toBe("degraded");
	await server.start();
	const lane = await opened;
	expect(await lane.send(batchOf(1), test.abort.signal)).toEqual(positionOf(1));
	expect(test.sink.health().status).toBe("healthy");
});

nats("SinkLane.send() stores each batch once while the server is killed again and again", async () => {
	await using server = await NatsServer.start();
	await using test = startSink(sinkOptions(server.url));
	const lane = await test.open();
	let done = false;
	const flaps = (async () => {
		for (let flap = 0; flap < 12; flap++) {
			const before = test.sink.statistics().batches;
			await waitUntil(`batches move before flap ${flap}`, () => done || test.sink.statistics().batches > before + 5, 20_000);
			await server.kill();
			await server.start();
		}
	})();
	let number = 0;
	const descriptors = () => readdirSync("/proc/self/fd").length;
	const before = descriptors();
	let running = true;
	void flaps.then(() => {
		running = false;
	});
	while (running) await lane.send(batchOf(++number, 2000), test.abort.signal);
	done = true;
	await flaps;
	await expectExactlyOnce(server, number);
	await waitUntil("the descriptors are closed", () => descriptors() <= before + 3, 5000);
	expect(test.sink.health().status).toBe("healthy");
});

nats("SinkLane.send() notices a stalled server by its pings alone, and goes on with a fresh connection", async () => {
	await using server = await NatsServer.start();
	// The acknowledgement may take for ever: only the pings are left to notice.
	await using test = startSink(sinkOptions(server.url, { timing: { acknowledgeMs: 600_000, pingMs: 100 } }));
	const lane = await test.open();
	await lane.send(batchOf(1), test.abort.signal);
	server.signal("SIGSTOP");
	const sent = lane.send(batchOf(2), test.abort.signal);
	expect(await test.healthy((status) => status === "degraded")).toContain("stopped answering");
	server.signal("SIGCONT");
	expect(await sent).toEqual(positionOf(2));
	await lane.send(batchOf(3), test.abort.signal);
	await expectExactlyOnce(server, 3);
});

/** Bytes in sockets of this machine that are still to go to `port`, by those that nobody holds any more as well. */
function bytesOnTheirWay(port: number): number {
	let sum = 0;
	for (const line of readFileSync("/proc/net/tcp", "utf8").split("\n").slice(1)) {
		const [, , remote = "", , queues = ""] = line.trim().split(/\s+/);
		if (Number.parseInt(remote.split(":")[1] ?? "", 16) === port) sum += Number.parseInt(queues.split(":")[0] ?? "", 16);
	}
	return sum;
}

for (const kind of ["plain", "TLS"] as const) {
	nats(`SinkLane.send() drops what a stalled server has not read, so that nothing late arrives (${kind})`, async () => {
		using folder = temporaryDirectory("tls");
		const pem = makeCertificates(folder.path);
		const config = kind === "TLS" ? `tls { cert_file: "${pem.serverCert}", key_file: "${pem.serverKey}" }` : "";
		await using server = await NatsServer.start({ maxPayload: 32 * 1024 * 1024, config });
		const tls = kind === "TLS" ? { tls: { ca: pem.ca } } : {};
		await using test = startSink(sinkOptions(server.url, { ...tls, batchBytes: bytes(32 * 1024 * 1024), timing: { acknowledgeMs: 800 } }));
		const lane = await test.open();
		await lane.send(batchOf(1), test.abort.signal);
		server.signal("SIGSTOP");
		// More than the buffers of both sockets take.
		const sent = lane.send(batchOf(2, 20 * 1024 * 1024), test.abort.signal);
		await waitUntil("the socket is full", () => bytesOnTheirWay(server.port) > 500_000);
		await test.healthy((status) => status === "degraded");
		expect(bytesOnTheirWay(server.port)).toBeLessThan(1000);
		server.signal("SIGCONT");
		expect(await sent).toEqual(positionOf(2));
		await lane.send(batchOf(3), test.abort.signal);
		const client = kind === "TLS" ? { tls: { caFile: pem.ca } } : {};
		expect(readEvents(await server.read("TAPIO", client))).toEqual({ sequences: upTo(3 * eventsPerBatch), faults: [] });
	});
}

nats("Sink moves on when its server asks its clients to leave", async () => {
	await using server = await NatsServer.start({ config: 'lame_duck_duration: "30s"\nlame_duck_grace_period: "1s"' });
	await using test = startSink(sinkOptions(server.url));
	const lane = await test.open();
	await lane.send(batchOf(1), test.abort.signal);
	server.signal("SIGUSR2");
	await test.healthy((status) => status === "degraded");
	expect(test.log.some(({ fields }) => fields["code"] === "nats_lame_duck")).toBe(true);
	await server.kill();
	await server.start();
	expect(await lane.send(batchOf(2), test.abort.signal)).toEqual(positionOf(2));
	await expectExactlyOnce(server, 2);
});

nats("Sink is told why it lost its login, and comes back when it is given one again", async () => {
	const users = (password: string) => `authorization { users = [{ user: agent, password: "${password}" }, { user: admin, password: admin }] }`;
	await using server = await NatsServer.start({ config: users("one") });
	await using test = startSink(sinkOptions(server.url, { authentication: { kind: "password", username: "agent", password: "one" } }));
	const lane = await test.open();
	await lane.send(batchOf(1), test.abort.signal);
	server.reload(users("two"));
	expect(await test.healthy((status) => status === "unhealthy")).toContain("Authorization Violation");
	const waiting = lane.send(batchOf(2), test.abort.signal);
	server.reload(users("one"));
	expect(await waiting).toEqual(positionOf(2));
	expect(readEvents(await server.read("TAPIO", { user: "admin", pass: "admin" }))).toEqual({ sequences: upTo(10), faults: [] });
});

nats("Sink tries its servers in turn", async () => {
	await using dead = await NatsServer.start({ started: false });
	await using server = await NatsServer.start();
	await using test = startSink(sinkOptions(server.url, { urls: [dead.url, server.url] }));
	const lane = await test.open();
	expect(await lane.send(batchOf(1), test.abort.signal)).toEqual(positionOf(1));
	expect(test.sink.statistics().errors).toBe(0);
});

/** A small generator: the same seed gives the same faults. */
function seeded(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return state / 2 ** 32;
	};
}

for (const seed of [1, 2, 3]) {
	nats(`SinkLane stores each batch once and in order through random faults, seed ${seed}`, async () => {
		const random = seeded(seed);
		await using server = await NatsServer.start();
		using proxy = await startProxy(() => server.port);
		// A duplicate window of 100 ms, made by somebody else: nothing may lean on it.
		await using client = await server.client();
		await (await jetstreamManager(client)).streams.add({ name: "TAPIO", subjects: ["tapio.events.>"], duplicate_window: 100_000_000 });
		await client.close();
		await using test = startSink(sinkOptions(proxy.url, { timing: { acknowledgeMs: 150, requestMs: 200, connectMs: 200, pingMs: 100 } }));
		const lane = await test.open();
		let number = 0;
		let running = true;
		const faults = (async () => {
			for (let fault = 0; fault < 15; fault++) {
				await systemClock.sleep(random() * 40);
				const kind = Math.floor(random() * 6);
				if (kind === 0) proxy.set("mute");
				else if (kind === 1) proxy.set("hold");
				else if (kind === 2) proxy.cut();
				else if (kind === 3) proxy.release();
				else if (kind === 4) {
					server.signal("SIGSTOP");
					await systemClock.sleep(random() * 300);
					server.signal("SIGCONT");
				} else {
					await server.kill();
					await server.start();
				}
				await systemClock.sleep(random() * 250);
				proxy.set("pass");
			}
			proxy.release();
			running = false;
		})();
		while (running) expect((await lane.send(batchOf(++number, Math.floor(random() * 5000)), test.abort.signal)).batch).toBe(number);
		await faults;
		proxy.release();
		expect(await lane.send(batchOf(++number), test.abort.signal)).toEqual(positionOf(number));
		await expectExactlyOnce(server, number);
		expect(number).toBeGreaterThan(15);
	});
}
