import { closeSync } from "node:fs";
import { type RingMemory, ringContract } from "../../test/contract/ring.ts";
import { createMemoryFile, Memory } from "../platform/ffi/memory.ts";

ringContract("memory of one thread", (length) => {
	const memory = Memory.allocate(length);
	return { producer: memory, consumer: memory, [Symbol.dispose]() {} };
});

ringContract("a SharedArrayBuffer", (length) => {
	const buffer = new SharedArrayBuffer(length);
	return { producer: Memory.over(buffer), consumer: Memory.over(buffer), [Symbol.dispose]() {} };
});

ringContract("a memory file mapped twice", (length): RingMemory => {
	const descriptor = createMemoryFile("ring-test", length);
	const producer = Memory.map(descriptor, length);
	const consumer = Memory.map(descriptor, length);
	closeSync(descriptor);
	return {
		producer,
		consumer,
		[Symbol.dispose]() {
			producer[Symbol.dispose]();
			consumer[Symbol.dispose]();
		},
	};
});
