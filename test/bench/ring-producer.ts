import { workerData } from "node:worker_threads";
import { Memory } from "../../src/platform/ffi/memory.ts";
import { RingProducer } from "../../src/ring/writer.ts";
import type { RingBenchOrder } from "./ring.ts";

// The producing thread of the ring's benchmark.
const { buffer, length, records }: RingBenchOrder = workerData;
const producer = new RingProducer(Memory.over(buffer));
const writer = producer.writer(0);
const payload = Memory.allocate(length);
for (let record = 0; record < records; record++) {
	while (!writer.hasRoom(length)) {
		producer.flush();
		Bun.sleepSync(0.2);
	}
	writer.memory.copy(writer.reserve(length), payload, 0, length);
	writer.submit();
	if (record % 64 === 63) producer.flush();
}
producer.flush();
