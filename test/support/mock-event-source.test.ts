import { expect, test } from "bun:test";
import { Memory } from "../../src/platform/ffi/memory.ts";
import { RingReader } from "../../src/ring/reader.ts";
import { createRing } from "../../src/ring/ring.ts";
import { counterOwn, RingProducer } from "../../src/ring/writer.ts";
import { silentLog } from "../../src/telemetry/log.ts";
import { type MockScript, mockCollector, mockEventSource } from "./mock-event-source.ts";
import { TestCollector } from "./test-collector.ts";

const identity = { cluster: "c", node: "n" };

async function setUp(script: MockScript, position?: string) {
	const memory = Memory.allocate(4096 + 65536);
	createRing(memory, [65536]);
	const producer = new RingProducer(memory);
	const reader = new RingReader(memory);
	const source = mockEventSource(script);
	source.start({ writer: producer.writer(0), log: silentLog, identity, position });
	const sink = new TestCollector();
	const decoder = await mockCollector.createDecoder({ steps: [], startFails: false, stopFails: false }, identity, "r");
	const turn = () => {
		const moved = source.poll();
		producer.flush();
		sink.drain(reader, decoder);
		return moved;
	};
	return { source, sink, reader, turn };
}

test("MockEventSource emits what the script says, at the pace and size that it says", async () => {
	const { source, sink, reader, turn } = await setUp({
		steps: [{ emit: 5, size: 100, perPoll: 2 }, { idle: 2 }, { discard: 7 }, { position: true }, { emit: 1, size: 28 }],
	});
	const moved = Array.from({ length: 9 }, turn);
	expect(moved).toEqual([2, 2, 1, 0, 0, 0, 1, 1, 0]);
	expect(source.finished).toBe(true);
	expect(sink.events.map(({ id }) => id)).toEqual(["mock-1", "mock-2", "mock-3", "mock-4", "mock-5", "mock-6"]);
	expect(reader.counter(0, counterOwn)).toBe(7);
	sink.assertOnceInOrder();
});

test("MockEventSource goes on behind the position that it is given", async () => {
	const { sink, turn } = await setUp({ steps: [{ emit: 10 }] }, "00000000000000000007");
	turn();
	expect(sink.events.map(({ id }) => id)).toEqual(["mock-8", "mock-9", "mock-10"]);
});

test("MockEventSource waits for room instead of dropping", async () => {
	const { sink, turn } = await setUp({ steps: [{ emit: 500, size: 1000, perPoll: 500 }] });
	let turns = 0;
	while (sink.events.length < 500 && turns++ < 20) turn();
	expect(sink.events.length).toBe(500);
	expect(turns).toBeGreaterThan(5);
});

test("MockEventSource throws on request", async () => {
	const { turn } = await setUp({ steps: [{ emit: 1 }, { fault: "throw" }] });
	expect(turn()).toBe(1);
	expect(turn).toThrow("Poll mock: the script says no");
	expect(() =>
		mockEventSource({ startFails: true }).start({ writer: new RingProducer(ringMemory()).writer(0), log: silentLog, identity, position: undefined }),
	).toThrow("Start mock");
});

test("TestCollector refuses what comes twice or out of order", () => {
	const sink = new TestCollector();
	const event = { id: "a", source: "/c/n/x", type: "t", time: "", sequence: "1", data: {} };
	sink.events.push(event, { ...event, id: "b", sequence: "3" });
	expect(() => sink.assertOnceInOrder()).toThrow("3 came after 1");
	sink.events.splice(1, 1, { ...event, sequence: "2" });
	expect(() => sink.assertOnceInOrder()).toThrow("The event a came twice");
});

function ringMemory(): Memory {
	const memory = Memory.allocate(4096 + 4096);
	createRing(memory, [4096]);
	return memory;
}
