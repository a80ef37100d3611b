import { Worker } from "node:worker_threads";
import { Memory } from "../../src/platform/ffi/memory.ts";
import { ringBytes } from "../../src/ring/layout.ts";
import { RingReader } from "../../src/ring/reader.ts";
import { createRing } from "../../src/ring/ring.ts";
import { RingProducer } from "../../src/ring/writer.ts";
import { type BenchRow, leastCpuSeconds, processCpuSeconds } from "./row.ts";

const sizes = [64, 256, 1024];
const capacity = 2 ** 22;
const rounds = 5;
const recordsPerRound = 500_000;
/** Records between a flush and the commit of the other side, as a drain turn has them. */
const batch = 256;

/** What the worker half of this file gets. */
export interface RingBenchOrder {
	readonly buffer: SharedArrayBuffer;
	readonly length: number;
	readonly records: number;
}

/** The ring by itself: a payload copied in, leased, copied out; in one thread, and from one thread to another. */
export async function bench(): Promise<BenchRow[]> {
	const rows: BenchRow[] = [];
	for (const length of sizes) rows.push(oneThread(length));
	for (const length of sizes) rows.push(await twoThreads(length));
	return rows;
}

function oneThread(length: number): BenchRow {
	const memory = Memory.over(new SharedArrayBuffer(ringBytes(capacity)));
	createRing(memory, [capacity]);
	const producer = new RingProducer(memory);
	const writer = producer.writer(0);
	const reader = new RingReader(memory);
	const payload = Memory.allocate(length);
	const seconds = leastCpuSeconds(rounds, () => {
		for (let record = 0; record < recordsPerRound; record += batch) {
			for (let index = 0; index < batch; index++) {
				memory.copy(writer.reserve(length), payload, 0, length);
				writer.submit();
			}
			producer.flush();
			while (reader.lease()) payload.copy(0, memory, reader.offset, reader.length);
			reader.commit();
		}
	});
	return {
		name: `ring, ${length} B, one thread`,
		cpuSecondsPerMillion: (seconds / recordsPerRound) * 1e6,
		lost: 0,
		note: "in and out, copied both times",
	};
}

async function twoThreads(length: number): Promise<BenchRow> {
	let least = Number.POSITIVE_INFINITY;
	let lost = 0;
	let rate = 0;
	for (let round = 0; round < rounds; round++) {
		const buffer = new SharedArrayBuffer(ringBytes(capacity));
		const memory = Memory.over(buffer);
		createRing(memory, [capacity]);
		const order: RingBenchOrder = { buffer, length, records: recordsPerRound * 4 };
		const worker = new Worker(new URL("./ring-producer.ts", import.meta.url), { workerData: order });
		const reader = new RingReader(memory);
		while (reader.fill === 0) await Bun.sleep(0);
		const [cpu, time] = [processCpuSeconds(), performance.now()];
		const leased = await drain(reader, order.records, length);
		least = Math.min(least, processCpuSeconds() - cpu);
		rate = Math.max(rate, leased / (performance.now() - time) / 1000);
		lost += order.records - leased;
		await worker.terminate();
	}
	const perMillion = (least / (recordsPerRound * 4)) * 1e6;
	return { name: `ring, ${length} B, two threads`, cpuSecondsPerMillion: perMillion, lost, note: `both sides; ${rate.toFixed(1)} million records/s` };
}

/** Leases `records` records, sleeping where there are none as the agent's drain loop does. */
async function drain(reader: RingReader, records: number, length: number): Promise<number> {
	const payload = Memory.allocate(length);
	const deadline = performance.now() + 30_000;
	let leased = 0;
	while (leased < records && performance.now() < deadline) {
		const before = leased;
		for (let index = 0; index < batch && reader.lease(); index++, leased++) payload.copy(0, reader.memory, reader.offset, reader.length);
		reader.commit();
		if (leased === before) await Bun.sleep(1);
	}
	return leased;
}
