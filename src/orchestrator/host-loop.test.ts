import { expect, test } from "bun:test";
import { closeSync } from "node:fs";
import { mockDefinition } from "../../test/support/mock-room.ts";
import { systemClock } from "../platform/clock.ts";
import { createMemoryFile, Memory } from "../platform/ffi/memory.ts";
import { headerBytes, ringBytes } from "../ring/layout.ts";
import { RingReader } from "../ring/reader.ts";
import { createRing } from "../ring/ring.ts";
import { setControl } from "../ring/writer.ts";
import { runHost } from "./host-loop.ts";

test("runHost() gives the memory of its ring back when the rush is over", async () => {
	const capacity = 1 << 18;
	const descriptor = createMemoryFile("host-test", ringBytes(capacity));
	using memory = Memory.map(descriptor, ringBytes(capacity));
	closeSync(descriptor);
	createRing(memory, [capacity]);
	const reader = new RingReader(memory);
	const page = 4096;
	const isTouched = (at: number) => memory.bytes.subarray(at, at + page).some((byte) => byte !== 0);
	const pages = Array.from({ length: capacity / page }, (_, index) => headerBytes + index * page);
	const touched = () => pages.filter(isTouched).length;
	// Each look at the clock is a quarter of a second later: reports, and with them the looks at the ring, come every few turns.
	let now = 0;
	let sawRush = false;
	let turns = 0;
	const clock = {
		...systemClock,
		monotonic: () => {
			while (reader.lease());
			reader.commit();
			sawRush ||= touched() > pages.length / 2;
			if (++turns > 400 || (sawRush && touched() <= 1)) setControl(memory, true);
			now += 250;
			return now;
		},
	};
	const collectors = [{ name: "mock", index: 0, config: { steps: [{ emit: 2000, size: 400, perPoll: 100 }] }, position: undefined }];
	const identity = { cluster: "default", node: "test" };
	const options = { name: "mock", ring: { descriptor: -1, length: 0 }, logLevel: "error", identity, collectors } as const;
	await runHost(options, memory, { clock, send: () => {}, parent: -1, definitionOf: mockDefinition });
	expect(sawRush).toBe(true);
	// The page where the next record goes may hold the end of the last one.
	expect(touched()).toBeLessThanOrEqual(1);
});
