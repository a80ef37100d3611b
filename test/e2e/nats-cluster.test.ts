import { expect } from "bun:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { NatsServer } from "../support/nats-server.ts";
import { batchOf, eventsPerBatch, readEvents, sinkOptions, startSink, upTo } from "../support/nats-sink.ts";
import { testNeeding } from "../support/requires.ts";
import { waitUntil } from "../support/wait-until.ts";

const limitMs = 300_000;

/** A port that was free a moment ago: routes of a cluster have to be known before its servers start. */
function freePort(): number {
	const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
	const { port } = listener;
	listener.stop(true);
	return port;
}

/** Three servers that hold each stream three times. */
async function startCluster(): Promise<readonly NatsServer[]> {
	const ports = [freePort(), freePort(), freePort()];
	const routes = ports.map((port) => `nats://127.0.0.1:${port}`).join(", ");
	return await Promise.all(
		ports.map((port, index) =>
			NatsServer.start({ config: `server_name: s${index}\ncluster { name: c, listen: "127.0.0.1:${port}", routes: [${routes}] }` }),
		),
	);
}

testNeeding(
	"nats",
	"SinkLane stores each batch once and in order while the servers of a cluster are killed in turn",
	async () => {
		await using servers = new AsyncDisposableStack();
		const cluster = (await startCluster()).map((server) => servers.use(server));
		const urls = cluster.map((server) => server.url);
		// Elections take their time on a busy machine; the wait between two attempts must not come on top.
		const slow = { acknowledgeMs: 1500, requestMs: 2000, backoffMaxMs: 1000 };
		await using test = startSink(sinkOptions("", { urls, jetstream: { replicas: 3 }, timing: slow }));
		const lane = await test.open();
		let running = true;
		const kills = (async () => {
			for (let kill = 0; kill < 3; kill++) {
				const before = test.sink.statistics().batches;
				await waitUntil("batches move", () => test.sink.statistics().batches > before + 20, 60_000);
				const server = cluster[kill % 3];
				await server?.kill();
				const without = test.sink.statistics().batches;
				await waitUntil("two servers go on alone", () => test.sink.statistics().batches > without + 5, 60_000);
				await server?.start();
			}
			running = false;
		})();
		let number = 0;
		while (running) await lane.send(batchOf(++number, 1000), test.abort.signal);
		await kills;
		const [first] = cluster;
		if (first === undefined) throw new Error("There is no cluster");
		await using client = await first.client();
		const { config } = await (await jetstreamManager(client)).streams.info("TAPIO");
		expect(config.num_replicas).toBe(3);
		expect(readEvents(await first.read("TAPIO"))).toEqual({ sequences: upTo(number * eventsPerBatch), faults: [] });
	},
	limitMs,
);
