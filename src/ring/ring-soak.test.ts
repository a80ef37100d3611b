import { expect, test } from "bun:test";
import { closeSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { consumeLoad, counterDone, noFindings, type RingFindings, type RingLoad } from "../../test/support/ring-load.ts";
import { createMemoryFile, Memory } from "../platform/ffi/memory.ts";
import { ringBytes, wordHead, wordReleased, wordTail } from "./layout.ts";
import { RingReader } from "./reader.ts";
import { createRing } from "./ring.ts";
import { counterReceived, counterRingFull, RingProducer, setControl } from "./writer.ts";

const producerPath = new URL("../../test/support/ring-producer.ts", import.meta.url).pathname;
const deadlineMs = 60_000;

test(
	"RingReader leases two million records of another thread in order and unharmed, across 2^32",
	async () => {
		const buffer = new SharedArrayBuffer(ringBytes(2 ** 20));
		const memory = newRing(Memory.over(buffer), 2 ** 32 - 2 ** 28);
		const load: RingLoad = { records: 2_000_000, whenFull: "wait", batch: 64 };
		const worker = new Worker(producerPath, { workerData: { buffer, load } });
		const findings = await consumeAll(memory);
		await worker.terminate();
		expect(findings).toEqual({ leased: load.records, next: load.records, wrong: 0, skipped: 0 });
		expect(memory.words[wordHead]).toBeLessThan(2 ** 31);
	},
	deadlineMs,
);

test(
	"RingReader leases two million records of another process in order and unharmed, across 2^31",
	async () => {
		await using producer = startProcess(2 ** 20, 2 ** 31 - 2 ** 28, { records: 2_000_000, whenFull: "wait", batch: 200 });
		const findings = await consumeAll(producer.memory);
		expect(await producer.child.exited).toBe(0);
		expect(findings).toEqual({ leased: 2_000_000, next: 2_000_000, wrong: 0, skipped: 0 });
		expect(producer.memory.words[wordHead]).toBeGreaterThan(2 ** 31);
	},
	deadlineMs,
);

test(
	"RecordWriter.reserve() counts every record that an overrun ring drops",
	async () => {
		await using producer = startProcess(2 ** 16, 0, { records: 3_000_000, whenFull: "drop", batch: 16 });
		const findings = await consumeAll(producer.memory);
		const reader = new RingReader(producer.memory);
		const received = reader.counter(0, counterReceived);
		const dropped = reader.counter(0, counterRingFull);
		expect(received).toBe(3_000_000);
		expect(dropped).toBeGreaterThan(0);
		expect(findings.leased + dropped).toBe(received);
		expect(findings.wrong).toBe(0);
	},
	deadlineMs,
);

test(
	"RingReader reads to the end what a killed producer published, and a successor goes on",
	async () => {
		for (let round = 0; round < 5; round++) {
			await using producer = startProcess(2 ** 18, 0, { records: Number.POSITIVE_INFINITY, whenFull: "drop", batch: 7 });
			const reader = new RingReader(producer.memory);
			const findings = noFindings();
			const deadline = performance.now() + deadlineMs;
			while (findings.leased < 20_000 * (round + 1) && performance.now() < deadline) {
				if (consumeLoad(reader, findings, 500) === 0) await Bun.sleep(0);
			}
			producer.child.kill("SIGKILL");
			await producer.child.exited;
			while (consumeLoad(reader, findings, 500) > 0);
			expect(findings.wrong).toBe(0);
			expect(findings.leased).toBeGreaterThanOrEqual(20_000 * (round + 1));
			// What the dead one counted and never published is missing between received and the rest: at most a batch and the record it was at.
			const unpublished = reader.counter(0, counterReceived) - reader.counter(0, counterRingFull) - findings.leased;
			expect(unpublished).toBeGreaterThanOrEqual(0);
			expect(unpublished).toBeLessThanOrEqual(8);
			const successor = new RingProducer(producer.memory);
			expect(successor.fill).toBe(0);
			const writer = successor.writer(0);
			for (let number = 0; number < 1000; number++) {
				expect(writer.reserve(100)).not.toBe(-1);
				writer.submit();
			}
			successor.flush();
			let leased = 0;
			while (reader.lease()) leased++;
			reader.commit();
			expect(leased).toBe(1000);
		}
	},
	deadlineMs,
);

function newRing(memory: Memory, start: number): Memory {
	createRing(memory, [memory.length - 4096]);
	for (const word of [wordHead, wordTail, wordReleased]) memory.signed[word] = start | 0;
	return memory;
}

/** Reads until the producer says that it is done and nothing is left. */
async function consumeAll(memory: Memory): Promise<RingFindings> {
	const reader = new RingReader(memory);
	const findings = noFindings();
	const deadline = performance.now() + deadlineMs;
	for (;;) {
		const isDone = reader.counter(0, counterDone) === 1;
		if (consumeLoad(reader, findings, 1000) > 0) continue;
		if (isDone) return findings;
		if (performance.now() > deadline) throw new Error(`The producer stands still after ${findings.leased} records`);
		await Bun.sleep(0);
	}
}

/** A producer in a process of its own, over a memory file that both map. */
function startProcess(capacity: number, start: number, load: RingLoad) {
	const length = ringBytes(capacity);
	const descriptor = createMemoryFile("ring-soak", length);
	const memory = newRing(Memory.map(descriptor, length), start);
	const child = Bun.spawn([process.execPath, producerPath, String(length), JSON.stringify(load)], {
		stdio: ["ignore", "inherit", "inherit", descriptor],
	});
	closeSync(descriptor);
	return {
		memory,
		child,
		async [Symbol.asyncDispose]() {
			setControl(memory, true);
			child.kill("SIGKILL");
			await child.exited;
			memory[Symbol.dispose]();
		},
	};
}
