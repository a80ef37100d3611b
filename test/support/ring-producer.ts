import { isMainThread, workerData } from "node:worker_threads";
import { Memory } from "../../src/platform/ffi/memory.ts";
import { RingProducer } from "../../src/ring/writer.ts";
import { produceLoad, type RingLoad } from "./ring-load.ts";

// The producing side of the soak tests. As a process: ring-producer.ts LENGTH LOAD, with the memory file as descriptor 3.
const descriptor = 3;
const { memory, load } = isMainThread ? ofProcess() : ofWorker();
const producer = new RingProducer(memory);
produceLoad(producer, producer.writer(0), load);

function ofProcess(): { memory: Memory; load: RingLoad } {
	const [length = "", load = ""] = process.argv.slice(2);
	const parsed: RingLoad = JSON.parse(load);
	return { memory: Memory.map(descriptor, Number(length)), load: { ...parsed, records: parsed.records ?? Number.POSITIVE_INFINITY } };
}

function ofWorker(): { memory: Memory; load: RingLoad } {
	const { buffer, load }: { buffer: SharedArrayBuffer; load: RingLoad } = workerData;
	return { memory: Memory.over(buffer), load };
}
