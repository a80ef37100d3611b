import { expect, test } from "bun:test";
import { ModelStream } from "../../../test/sim/model-stream.ts";
import { manualClock } from "../../../test/support/manual-clock.ts";
import { laneIdentity, sinkOptions } from "../../../test/support/nats-sink.ts";
import { bytes } from "../../base/units.ts";
import { Memory } from "../../platform/ffi/memory.ts";
import { silentLog } from "../../telemetry/log.ts";
import type { Batch } from "../sink.ts";
import type { OutgoingMessage } from "./epoch.ts";
import { NatsLane } from "./lane.ts";
import { Slots } from "./slots.ts";

const { signal } = new AbortController();

/** A batch of a source that counts, from `first` to `last`. */
function cut(number: number, first: number, last: number, cursor = `i=${last}`): Batch {
	const memory = Memory.allocate(64);
	const text = new TextEncoder().encode(JSON.stringify([first, last]));
	memory.bytes.set(text);
	return { number, memory, offset: 0, length: text.length, count: last - first + 1, lastSequence: last, lastCursor: cursor, run: 0 };
}

/** A lane over a connection that never ends; `before` is called before each batch arrives. */
function laneOver(stream: ModelStream, before: (message: OutgoingMessage) => void = () => undefined): NatsLane {
	const connection = {
		alive: true,
		pendingBytes: 0,
		lastBatch: async () => stream.messages.at(-1),
		isRemoved: async () => false,
		async request(_subject: string, message: OutgoingMessage) {
			before(message);
			return stream.take(message.headers, message.body, 0);
		},
		publish: () => undefined,
		flush: async () => undefined,
	};
	const epoch = { connection };
	const link = {
		timing: { acknowledgeMs: 10, backoffMinMs: 1, backoffMaxMs: 10 },
		current: async () => epoch,
		failed: () => undefined,
		succeeded: () => undefined,
		messageBytesMax: () => bytes(1_000_000),
	};
	const counters = { batches: 0, events: 0, bytes: 0, errors: 0, retries: 0 };
	const options = sinkOptions("nats://model:4222");
	return new NatsLane(laneIdentity, { link, slots: new Slots(1), options, counters, log: silentLog, clock: manualClock(), random: () => 0 });
}

const nowhere = { batch: 0, cursor: "", sequence: 0 };

test("NatsLane goes on behind a batch of the run before that arrives late and was cut otherwise", async () => {
	const stream = new ModelStream("TAPIO", 1000);
	const late: (() => void)[] = [];
	const before = laneOver(stream, ({ headers, body }) => {
		const copies = [headers.slice(), body.slice()] as const;
		late.push(() => stream.take(...copies, 0));
		throw new Error("The machine lost its power");
	});
	await before.open(nowhere, signal);
	const abort = new AbortController();
	const lost = before.send(cut(1, 1, 5), abort.signal).catch(() => undefined);
	await Promise.resolve();
	abort.abort();
	await lost;
	const lane = laneOver(stream, () => late.shift()?.());
	expect(await lane.open(nowhere, signal)).toEqual(nowhere);
	// Its driver reads again from there.
	expect(await lane.send(cut(1, 1, 3), signal)).toEqual({ batch: 1, cursor: "i=5", sequence: 5, run: 0 });
	expect(await lane.send(cut(2, 6, 7), signal)).toEqual({ batch: 2, cursor: "i=7", sequence: 7, run: 0 });
	expect(stream.messages.map(({ id }) => id)).toEqual([`${laneIdentity.id}-1`, `${laneIdentity.id}-2`]);
});

test("NatsLane stops at a batch of its own id that it did not cut, once it has delivered, or where that one begins elsewhere", async () => {
	for (const [delivered, foreign] of [
		[1, cut(2, 6, 9)],
		[0, cut(1, 2, 9)],
		[0, cut(1, 1, 5, "i=of another")],
	] as const) {
		const stream = new ModelStream("TAPIO", 1000);
		const lane = laneOver(stream);
		await lane.open(nowhere, signal);
		if (delivered > 0) await lane.send(cut(1, 1, 5), signal);
		const copy = laneOver(stream);
		await copy.open(delivered > 0 ? { batch: 1, cursor: "i=5", sequence: 5 } : nowhere, signal);
		await copy.send(foreign, signal);
		const first = delivered * 5 + 1;
		expect(await lane.send(cut(delivered + 1, first, first + 4), signal).catch((error) => error)).toMatchObject({ code: "two_writers" });
	}
});

test("NatsLane has its source read again behind a batch that arrives late under a number that was skipped, unless it is live", async () => {
	for (const cursor of ["i=9", ""]) {
		const stream = new ModelStream("TAPIO", 1000);
		const before = laneOver(stream);
		await before.open(nowhere, signal);
		await before.send(cut(1, 1, 5), signal);
		const lane = laneOver(stream);
		await lane.open({ batch: 1, cursor: "i=5", sequence: 5 }, signal);
		await before.send(cut(2, 6, 9, cursor), signal);
		const position = await lane.send(cut(4, 6, 12), signal);
		if (cursor === "") expect(position).toEqual({ batch: 4, cursor: "i=12", sequence: 12, run: 0 });
		else expect(position).toEqual({ batch: 2, cursor, sequence: 9, run: 0, finding: { kind: "went_back", acknowledged: 3 } });
	}
});

test("NatsLane goes on behind a batch of the run before that arrives late under a higher number", async () => {
	const stream = new ModelStream("TAPIO", 1000);
	const before = laneOver(stream);
	const lane = laneOver(stream);
	for (const each of [before, lane]) await each.open(nowhere, signal);
	await before.send(cut(3, 1, 5), signal);
	expect(await lane.send(cut(1, 1, 9), signal)).toEqual({ batch: 3, cursor: "i=5", sequence: 5, run: 0 });
	expect(await lane.send(cut(4, 6, 9), signal)).toEqual({ batch: 4, cursor: "i=9", sequence: 9, run: 0 });
});
