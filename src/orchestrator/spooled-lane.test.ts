import { expect, test } from "bun:test";
import { manualClock, settle } from "../../test/support/manual-clock.ts";
import { SpoolDisk } from "../../test/support/spool-disk.ts";
import { OperatingError } from "../base/errors.ts";
import { Memory } from "../platform/ffi/memory.ts";
import { type Batch, batchHeadroom, batchTailroom, type LanePosition, type LaneStart, type SinkLane } from "../sinks/sink.ts";
import { openSpool } from "../spool/open-spool.ts";
import { silentLog } from "../telemetry/log.ts";
import { SpooledLane } from "./spooled-lane.ts";

/** A sink that takes batches while it is there, and otherwise never answers. */
class MoodySink implements SinkLane {
	isThere = true;
	/** What the next send is refused with. */
	refuses: unknown;
	readonly taken: { readonly number: number; readonly text: string }[] = [];
	readonly opened: LaneStart[] = [];
	#waiting: (() => void)[] = [];
	published = 0;

	comeBack(): void {
		this.isThere = true;
		for (const wake of this.#waiting.splice(0)) wake();
	}

	async open(local: LaneStart): Promise<LanePosition> {
		this.opened.push(local);
		return { batch: this.taken.at(-1)?.number ?? 0, cursor: "", sequence: this.published };
	}

	batchBytesMax(): number {
		return 1 << 20;
	}

	async send({ number, memory, offset, length, count, lastSequence }: Batch, signal: AbortSignal): Promise<LanePosition> {
		while (!this.isThere) {
			signal.throwIfAborted();
			await new Promise<void>((resolve, reject) => {
				this.#waiting.push(resolve);
				signal.addEventListener("abort", () => reject(signal.reason), { once: true });
			});
		}
		const { refuses } = this;
		this.refuses = undefined;
		if (refuses !== undefined) throw refuses;
		this.taken.push({ number, text: new TextDecoder().decode(memory.bytes.subarray(offset, offset + length)) });
		this.published += count;
		return { batch: number, cursor: "", sequence: lastSequence };
	}
}

const lane = { name: "kernel", id: "0a1b" };
const limits = { maxBytes: 1 << 20, maxAge: Number.POSITIVE_INFINITY, fsync: "never" } as const;

function setUp(disk = new SpoolDisk(), sink = new MoodySink()) {
	const clock = manualClock();
	const spool = openSpool("/state", lane, limits, { files: disk, log: silentLog });
	return { disk, sink, clock, lane: new SpooledLane({ sink, spool, clock, log: silentLog }), stop: new AbortController() };
}

/** Batch `number` of one event, whose text is its number. */
function batchOf(number: number): Batch {
	const text = new TextEncoder().encode(`[${number}]`);
	const memory = Memory.allocate(batchHeadroom + text.length + batchTailroom);
	memory.bytes.set(text, batchHeadroom);
	return { number, memory, offset: batchHeadroom, length: text.length, count: 1, lastSequence: number, lastCursor: "" };
}

const start: LaneStart = { batch: 0, cursor: "", sequence: 0 };
const numbers = (sink: MoodySink) => sink.taken.map(({ number, text }) => [number, text]);
const upTo = (last: number) => Array.from({ length: last }, (_, index) => [index + 1, `[${index + 1}]`]);

test("SpooledLane sends directly while the sink is there, and leaves nothing on disk", async () => {
	const { lane, sink, clock, stop } = setUp();
	await lane.open(start, stop.signal);
	for (let number = 1; number <= 3; number++)
		expect(await lane.send(batchOf(number), stop.signal)).toMatchObject({ batch: number, sequence: number });
	expect(numbers(sink)).toEqual(upTo(3));
	expect([lane.account().stored.records, lane.health(), clock.sleepers()]).toEqual([0, undefined, 0]);
});

test("SpooledLane keeps on disk what the sink does not take in two seconds, and sends it first and in order", async () => {
	const { lane, sink, clock, stop } = setUp();
	await lane.open(start, stop.signal);
	await lane.send(batchOf(1), stop.signal);
	sink.isThere = false;
	const second = lane.send(batchOf(2), stop.signal);
	await clock.advance(1999);
	expect(lane.account().stored.records).toBe(0);
	await clock.advance(1);
	expect(await second).toMatchObject({ batch: 2, sequence: 2 });
	for (let number = 3; number <= 40; number++) await lane.send(batchOf(number), stop.signal);
	expect(lane.account()).toMatchObject({ stored: { records: 39, events: 39 }, left: { events: 39 } });
	expect(lane.health()).toMatchObject({ status: "degraded", message: expect.stringContaining("39 events wait in the spool") });
	expect(lane.published).toBe(1);
	sink.comeBack();
	// Meanwhile new ones queue behind.
	await lane.send(batchOf(41), stop.signal);
	await settle();
	await settle();
	for (let round = 0; round < 50 && lane.account().left.records > 0; round++) await settle();
	expect(await lane.send(batchOf(42), stop.signal)).toMatchObject({ batch: 42 });
	expect(numbers(sink)).toEqual(upTo(42));
	expect(lane.account()).toMatchObject({ stored: { events: 40 }, acknowledged: { events: 40 }, left: { events: 0 } });
	expect(lane.health()).toBeUndefined();
});

test("SpooledLane goes on with what an earlier run left, behind what the sink has, and numbers go on behind it", async () => {
	const first = setUp();
	await first.lane.open(start, first.stop.signal);
	first.sink.isThere = false;
	const late = first.lane.send(batchOf(1), first.stop.signal);
	await first.clock.advance(2000);
	await late;
	for (let number = 2; number <= 5; number++) await first.lane.send(batchOf(number), first.stop.signal);
	first.stop.abort(new Error("stop"));
	await settle();
	await first.lane.close();
	// The sink had the first two after all: the run ended before it heard so.
	const sink = new MoodySink();
	sink.taken.push({ number: 1, text: "[1]" }, { number: 2, text: "[2]" });
	sink.published = 2;
	const second = setUp(first.disk, sink);
	const position = await second.lane.open({ batch: 5, cursor: "", sequence: 5 }, second.stop.signal);
	expect(position).toMatchObject({ batch: 5, sequence: 5 });
	expect(sink.opened[0]?.batch).toBe(0);
	for (let round = 0; round < 50 && second.lane.account().left.records > 0; round++) await settle();
	await second.lane.send(batchOf(6), second.stop.signal);
	expect(numbers(sink)).toEqual(upTo(6));
	// Those two are the account's of the run that delivered them.
	expect(second.lane.account()).toMatchObject({ found: { events: 3 }, acknowledged: { events: 3 }, left: { events: 0 } });
});

test("SpooledLane puts what is in its hands on disk when it is stopped", async () => {
	const { lane, sink, disk, stop } = setUp();
	await lane.open(start, stop.signal);
	sink.isThere = false;
	const pending = lane.send(batchOf(1), stop.signal);
	await settle();
	stop.abort(new Error("stop"));
	expect(await pending).toMatchObject({ batch: 1 });
	expect(await lane.send(batchOf(2), stop.signal)).toMatchObject({ batch: 2 });
	await lane.close();
	const next = setUp(disk);
	await next.lane.open({ batch: 2, cursor: "", sequence: 2 }, next.stop.signal);
	for (let round = 0; round < 50 && next.lane.account().left.records > 0; round++) await settle();
	expect(numbers(next.sink)).toEqual(upTo(2));
});

test("SpooledLane waits while the disk refuses, and keeps the order", async () => {
	const { lane, sink, disk, clock, stop } = setUp();
	await lane.open(start, stop.signal);
	sink.isThere = false;
	disk.capacity = disk.used;
	let settled = false;
	const first = lane.send(batchOf(1), stop.signal).then(() => {
		settled = true;
	});
	await clock.advance(10_000);
	expect(settled).toBe(false);
	expect(lane.health()).toMatchObject({ status: "degraded", message: expect.stringContaining("room") });
	disk.capacity = Number.POSITIVE_INFINITY;
	await clock.advance(10_000);
	await first;
	expect(lane.account().stored.records).toBe(1);
	sink.comeBack();
	for (let round = 0; round < 50 && lane.account().left.records > 0; round++) await settle();
	await lane.send(batchOf(2), stop.signal);
	expect(numbers(sink)).toEqual(upTo(2));
});

test("SpooledLane counts what no message can carry any more, and stops where a person must decide", async () => {
	const { lane, sink, clock, stop } = setUp();
	await lane.open(start, stop.signal);
	sink.isThere = false;
	const late = lane.send(batchOf(1), stop.signal);
	await clock.advance(2000);
	await late;
	await lane.send(batchOf(2), stop.signal);
	sink.refuses = new OperatingError("batch_too_large", "too large", { limit: 10 });
	sink.comeBack();
	for (let round = 0; round < 50 && lane.account().left.records > 0; round++) await settle();
	expect(numbers(sink)).toEqual([[2, "[2]"]]);
	expect(lane.account()).toMatchObject({ tooLarge: 1, acknowledged: { events: 2 } });
	sink.refuses = new OperatingError("batch_too_large", "too large", { limit: 10 });
	// Sent directly it is the writer's to cut.
	expect(lane.send(batchOf(3), stop.signal)).rejects.toThrow("too large");
	await settle();
	sink.isThere = false;
	const third = lane.send(batchOf(3), stop.signal);
	await clock.advance(2000);
	await third;
	sink.refuses = new OperatingError("two_writers", "two writers");
	sink.comeBack();
	await settle();
	expect(lane.send(batchOf(4), stop.signal)).rejects.toThrow("two writers");
});
