import { jetstream } from "@nats-io/jetstream";
import { bytes, milliseconds } from "../../src/base/units.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { Memory } from "../../src/platform/ffi/memory.ts";
import { createNatsSink } from "../../src/sinks/nats/sink.ts";
import { silentLog } from "../../src/telemetry/log.ts";
import { NatsServer } from "../support/nats-server.ts";
import { lacking } from "../support/requires.ts";
import { type BenchRow, processCpuSeconds } from "./row.ts";

const batchBytes = 512 * 1024;
const eventBytes = 1400;
const batches = 1000;

/** Batches of 512 KiB into a real JetStream with acknowledgements, one in flight: by the sink, by the sink with zstd, and by the library alone. */
export async function bench(): Promise<BenchRow[]> {
	if (lacking("nats") !== undefined) return [];
	const rows: BenchRow[] = [];
	const text = batchText();
	await using server = await NatsServer.start();
	rows.push(row("publish, library alone", await library(server, text), "js.publish of @nats-io/jetstream"));
	rows.push(row("publish, sink", await throughSink(server, text, "none"), "lane protocol, no compression"));
	rows.push(row("publish, sink with zstd", await throughSink(server, text, "zstd"), "level 1, compressed on the same thread"));
	return rows;
}

interface Measured {
	readonly cpuSeconds: number;
	readonly wallSeconds: number;
	readonly events: number;
	readonly bytes: number;
}

function row(name: string, measured: Measured, note: string): BenchRow {
	const gigabytes = measured.bytes / 1e9;
	return {
		name,
		cpuSecondsPerMillion: (measured.cpuSeconds / measured.events) * 1e6,
		rssMb: process.memoryUsage.rss() / 2 ** 20,
		note: `${note}; ${(measured.cpuSeconds / gigabytes).toFixed(2)} CPU-s per GB of JSON, ${(measured.bytes / 2 ** 20 / measured.wallSeconds).toFixed(0)} MiB/s`,
	};
}

async function measure(events: number, size: number, send: (index: number) => Promise<unknown>): Promise<Measured> {
	for (let index = 1; index <= batches / 10; index++) await send(index);
	const cpu = processCpuSeconds();
	const wall = performance.now();
	for (let index = batches / 10 + 1; index <= batches / 10 + batches; index++) await send(index);
	return { cpuSeconds: processCpuSeconds() - cpu, wallSeconds: (performance.now() - wall) / 1000, events: events * batches, bytes: size * batches };
}

async function library(server: NatsServer, text: Memory): Promise<Measured> {
	await using client = await server.client({ noAsyncTraces: true });
	const api = jetstream(client);
	const manager = await api.jetstreamManager();
	await manager.streams.add({ name: "LIBRARY", subjects: ["library.>"], max_bytes: 256 * 2 ** 20 });
	return await measure(eventsOf(text), batchBytes, (index) =>
		api.publish("library.node", text.bytes.subarray(0, batchBytes), { msgID: `bench-${index}` }),
	);
}

async function throughSink(server: NatsServer, text: Memory, compression: "none" | "zstd"): Promise<Measured> {
	const sink = createNatsSink(
		{
			urls: [server.url],
			cluster: "bench",
			node: "node",
			subject: `bench.${compression}`,
			authentication: { kind: "none" },
			jetstream: {
				enabled: true,
				stream: `SINK-${compression}`,
				manage: true,
				replicas: 1,
				maxAgeMs: milliseconds(0),
				maxBytes: bytes(256 * 2 ** 20),
				duplicateWindowMs: milliseconds(120_000),
				domain: "",
			},
			maxReconnects: 5,
			workers: 4,
			compression,
			batchBytes: bytes(batchBytes),
		},
		{ clock: systemClock, log: silentLog },
	);
	await sink.start();
	const lane = sink.lane({ collector: "systemd", id: "be9c", cluster: "bench", node: "node" });
	const { signal } = new AbortController();
	await lane.open({ batch: 0, cursor: "", sequence: 0, fresh: true }, signal);
	const count = eventsOf(text);
	const measured = await measure(count, batchBytes, (number) =>
		lane.send(
			{ number, memory: text, offset: 0, length: batchBytes, count, lastSequence: number * count, lastCursor: `s=1;i=${number}`, run: 0 },
			signal,
		),
	);
	await sink.stop();
	return measured;
}

/** JSON as a journal gives it: texts that repeat, numbers that do not. */
function batchText(): Memory {
	const memory = Memory.allocate(batchBytes);
	let text = "[";
	for (let index = 0; text.length < batchBytes; index++) {
		const head = `{"specversion":"1.0","id":"s=1;i=${index}","type":"tapio.systemd.entry","time":"2026-01-02T03:04:05.${String(index * 7919).padStart(6, "0")}Z","data":{"raw":{`;
		let fields = "";
		for (let field = 0; head.length + fields.length < eventBytes - 60; field++)
			fields += `"_FIELD_${field}":"value ${(index * 31 + field * 17) % 1000} of unit",`;
		text += `${head}${fields}"MESSAGE":"Started session ${index}"}}},`;
	}
	memory.bytes.set(new TextEncoder().encode(text.slice(0, batchBytes)));
	return memory;
}

function eventsOf(text: Memory): number {
	return Math.floor(text.length / eventBytes);
}

if (import.meta.main) {
	for (const line of await bench()) process.stdout.write(`${JSON.stringify(line)}\n`);
}
