import { expect, test } from "bun:test";
import { settle } from "../../test/support/manual-clock.ts";
import { MemoryFiles } from "../../test/support/memory-files.ts";
import { SpoolDisk } from "../../test/support/spool-disk.ts";
import { begin, end, MoodySink, spoolAway, upTo } from "../../test/support/spooled-house.ts";
import { OperatingError } from "../base/errors.ts";
import { makeRun } from "../base/run.ts";
import { Memory } from "../platform/ffi/memory.ts";
import { batchHeadroom, batchTailroom } from "../sinks/sink.ts";

test("SpooledDelivery sends directly while the sink is there, and leaves nothing on disk", async () => {
	const { lane, sink, clock, batch } = begin();
	await lane.open();
	for (let sequence = 1; sequence <= 3; sequence++) expect(await lane.send(batch(sequence))).toMatchObject({ kind: "delivered", published: 1 });
	expect(sink.taken.map(({ number }) => number)).toEqual(upTo(3));
	expect([lane.account().stored.records, lane.health(), clock.sleepers()]).toEqual([0, undefined, 0]);
});

test("SpooledDelivery keeps on disk what the sink does not take in two seconds, and sends it first and in order", async () => {
	const run = begin();
	const { lane, sink, clock, batch, drained, disk } = run;
	await lane.open();
	await lane.send(batch(1));
	sink.isThere = false;
	const second = lane.send(batch(2));
	await clock.advance(1999);
	expect(lane.account().stored.records).toBe(0);
	await clock.advance(1);
	expect(await second).toMatchObject({ kind: "delivered" });
	for (let sequence = 3; sequence <= 40; sequence++) await lane.send(batch(sequence));
	expect(lane.account()).toMatchObject({ stored: { records: 39, events: 39 }, left: { events: 39 } });
	expect(lane.health()).toMatchObject({ status: "degraded", message: expect.stringContaining("39 events wait in the spool") });
	expect(lane.reach).toEqual({ found: 0, reached: 1 });
	sink.comeBack();
	// Meanwhile new ones queue behind.
	await lane.send(batch(41));
	await drained();
	await settle();
	await lane.send(batch(42));
	expect(sink.events).toEqual(upTo(42));
	expect(sink.taken.map(({ number }) => number)).toEqual(upTo(42));
	expect(lane.account()).toMatchObject({ stored: { events: 40 }, acknowledged: { events: 40 }, left: { events: 0 } });
	expect(lane.health()).toBeUndefined();
	// Nothing of it stays on the disk.
	expect([...disk.names.keys()].filter((name) => name.endsWith(".segment"))).toEqual([]);
});

test("SpooledDelivery opens without the sink, keeps everything on disk, and sends it when the sink is there for the first time", async () => {
	const run = begin();
	const { lane, sink, clock, batch, drained } = run;
	sink.isThere = false;
	const opening = lane.open();
	await clock.advance(1000);
	expect(await opening).toMatchObject({ mark: { sequence: 0 } });
	expect(lane.reach).toBeUndefined();
	const first = lane.send(batch(1));
	await clock.advance(2000);
	await first;
	for (let sequence = 2; sequence <= 5; sequence++) await lane.send(batch(sequence));
	sink.comeBack();
	await settle();
	await drained();
	await settle();
	await lane.send(batch(6));
	expect(sink.events).toEqual(upTo(6));
	expect(lane.reach).toEqual({ found: 0, reached: 6 });
});

test("SpooledDelivery goes on with what a run before left, behind what the sink has of it, and sequences go on behind it", async () => {
	const first = begin();
	await first.lane.open();
	await first.lane.send(first.batch(1));
	await spoolAway(first, 2, 6);
	await end(first);
	// Two more arrived after all, and nobody heard of it.
	first.sink.comeBack();
	for (const sequence of [2, 3]) first.sink.taken.push({ number: sequence, events: [sequence], run: first.run, sequence });
	const second = begin(first);
	expect(await second.lane.open()).toMatchObject({ mark: { sequence: 6 } });
	await second.drained();
	await settle();
	await second.lane.send(second.batch(7));
	expect(second.sink.events).toEqual(upTo(7));
	expect(second.sink.taken.map(({ number }) => number)).toEqual(upTo(7));
	// Those two are the account's of the run that delivered them.
	expect(second.lane.account()).toMatchObject({ found: { events: 3 }, acknowledged: { events: 3 }, left: { events: 0 }, unconfirmed: 0 });
});

test("SpooledDelivery sends a batch whose answer was lost once, in this run and in the next", async () => {
	for (const dies of [false, true]) {
		const first = begin();
		await first.lane.open();
		first.sink.losesAnswer = 1;
		const lost = first.lane.send(first.batch(1, 3));
		await first.clock.advance(2000);
		await lost;
		if (dies) await end(first);
		first.sink.comeBack();
		const run = dies ? begin(first) : first;
		if (dies) await run.lane.open();
		await run.drained();
		await settle();
		await run.lane.send(run.batch(4));
		expect(run.sink.events).toEqual(upTo(4));
	}
});

test("SpooledDelivery sends in parts what has become too large on disk, and goes on inside it behind a crash", async () => {
	for (const dies of [false, true]) {
		const first = begin();
		await first.lane.open();
		await first.lane.send(first.batch(1));
		first.sink.isThere = false;
		const large = first.lane.send(first.batch(2, 40));
		await first.clock.advance(2000);
		await large;
		await first.lane.send(first.batch(42));
		first.sink.limit = 100;
		let run = first;
		if (dies) {
			// Three parts arrive, and the run ends with the answer to the last of them on its way.
			first.sink.losesAnswer = 3;
			first.sink.comeBack();
			for (let round = 0; round < 20; round++) await settle();
			expect(first.sink.taken.length).toBe(4);
			await end(first);
			first.sink.isThere = true;
			run = begin(first);
			await run.lane.open();
		} else first.sink.comeBack();
		await run.drained();
		await settle();
		await run.lane.send(run.batch(43));
		expect(run.sink.events).toEqual(upTo(43));
		expect(run.sink.taken.map(({ number }) => number)).toEqual(upTo(run.sink.taken.length));
		expect(run.lane.account()).toMatchObject({ tooLarge: 0, left: { events: 0 } });
		const { found, stored, acknowledged } = run.lane.account();
		expect(acknowledged.events).toBe(found.events + stored.events);
	}
});

test("SpooledDelivery tries the parts of a batch again as they were, where the disk refuses as well", async () => {
	const { lane, sink, disk, clock, batch, drained } = begin();
	await lane.open();
	disk.capacity = disk.used;
	sink.limit = 100;
	sink.losesAnswer = 3;
	const sent = lane.send(batch(1, 40));
	await clock.advance(2000);
	// The third part arrived, and nobody knows. The server takes more now, and parts would be cut elsewhere.
	sink.limit = 200;
	sink.comeBack();
	await clock.advance(1000);
	expect(await sent).toMatchObject({ kind: "delivered", published: 40 });
	disk.capacity = Number.POSITIVE_INFINITY;
	await lane.send(batch(41));
	await drained();
	expect(sink.events).toEqual(upTo(41));
	expect(sink.taken.map(({ number }) => number)).toEqual(upTo(sink.taken.length));
});

test("SpooledDelivery sends what a run before left, although another run published meanwhile that had no spool, or a copy of it", async () => {
	const first = begin();
	await first.lane.open();
	await first.lane.send(first.batch(1));
	await spoolAway(first, 2, 4);
	await end(first);
	// A run that cannot open the spool, or that of a copied or restored folder.
	first.sink.isThere = true;
	first.sink.taken.push({ number: 2, events: [100], run: makeRun(0.999), sequence: 100 });
	const second = begin(first);
	await second.lane.open();
	await second.drained();
	expect(second.sink.events).toEqual([1, 100, 2, 3, 4]);
	expect(second.lane.account()).toMatchObject({ found: { events: 3 }, acknowledged: { events: 3 } });
});

test("SpooledDelivery sends every event beside one that no message can carry, however often its parts are tried", async () => {
	const { lane, sink, clock, batch, drained } = begin();
	await lane.open();
	const whole = batch(1, 10);
	const text = new TextDecoder().decode(whole.memory.bytes.subarray(whole.offset, whole.offset + whole.length));
	// Its length is in numbers, which are not cut.
	const unfit = text.replace('{"n":5}', `{"n":5,"list":[${"1234567890,".repeat(40)}1]}`);
	const memory = Memory.allocate(batchHeadroom + unfit.length + batchTailroom);
	memory.bytes.set(new TextEncoder().encode(unfit), batchHeadroom);
	sink.limit = 200;
	for (let times = 0; times < 3; times++) {
		sink.isThere = false;
		const sent = lane.send({ ...whole, memory, length: unfit.length, firstSequence: 1 + 10 * times, lastSequence: 10 + 10 * times });
		await clock.advance(2000);
		await sent;
		sink.losesAnswer = 1;
		sink.comeBack();
		await settle();
		sink.comeBack();
		await drained();
		await settle();
	}
	expect(sink.events).toEqual([1, 2, 3].flatMap(() => [1, 2, 3, 4, 6, 7, 8, 9, 10]));
	expect(lane.account().tooLarge).toBe(3);
});

test("SpooledDelivery goes directly again where what was on disk has expired before the sink came", async () => {
	const first = begin();
	await first.lane.open();
	await spoolAway(first, 1, 3);
	await end(first);
	const second = begin({ ...first, expires: 1000 });
	const opening = second.lane.open();
	await second.clock.advance(10_000);
	await opening;
	second.lane.tick();
	await settle();
	expect(second.lane.account().dropped.spool_expired.events).toBe(3);
	second.disk.capacity = second.disk.used;
	second.sink.comeBack();
	await settle();
	const sent = second.lane.send(second.batch(4));
	await second.clock.advance(3000);
	await sent;
	expect(second.sink.events).toEqual([4]);
});

test("SpooledDelivery speaks of a disk that refused a batch for a minute, and not for ever", async () => {
	const { lane, sink, disk, clock, batch } = begin();
	await lane.open();
	sink.isThere = false;
	disk.capacity = disk.used;
	const sent = lane.send(batch(1));
	await clock.advance(2500);
	sink.comeBack();
	await clock.advance(2000);
	await sent;
	expect(sink.events).toEqual([1]);
	expect(lane.health()?.message).toContain("room");
	await clock.advance(60_000);
	expect(lane.health()).toBeUndefined();
});

test("SpooledDelivery with mode always reads on from what the sink has, where the power took the end of the spool", async () => {
	const first = begin(undefined, "always");
	await first.lane.open();
	for (let sequence = 1; sequence <= 3; sequence++) await first.lane.send({ ...first.batch(sequence), lastCursor: `c${sequence}` });
	const kept = new Map([...first.disk.names.keys()].map((name) => [name, first.disk.content(name)]));
	for (let sequence = 4; sequence <= 6; sequence++) await first.lane.send({ ...first.batch(sequence), lastCursor: `c${sequence}` });
	await first.drained();
	const second = begin(first, "always");
	await end(second);
	first.disk.names.clear();
	for (const [name, content] of kept) first.disk.put(name, content);
	const third = begin(first, "always");
	expect(await third.lane.open()).toMatchObject({ mark: { cursor: "c6", sequence: 6 } });
	await third.drained();
	expect(third.sink.events).toEqual(upTo(6));
});

test("SpooledDelivery counts what no message can carry any more", async () => {
	const run = begin();
	await run.lane.open();
	await spoolAway(run, 1, 2);
	run.sink.limit = 5;
	run.sink.comeBack();
	await run.drained();
	expect(run.sink.events).toEqual([]);
	expect(run.lane.account()).toMatchObject({ tooLarge: 2, acknowledged: { events: 2 } });
});

test("SpooledDelivery does not take its own events for delivered where the stream is ahead of a state that is older", async () => {
	const old = begin();
	await old.lane.open();
	await old.lane.send(old.batch(1));
	await end(old);
	const backup = { disk: new SpoolDisk(), files: new MemoryFiles(), sink: old.sink };
	for (const [path, content] of old.files.contents) backup.files.contents.set(path, content.slice());
	for (let runs = 0; runs < 3; runs++) {
		const later = begin(old);
		await later.lane.open();
		await later.lane.send(later.batch(2 + 10 * runs, 10));
		await end(later);
	}
	// The state comes from the backup, and the sink is away until the first events are on disk.
	const restored = begin(backup);
	restored.sink.isThere = false;
	const opening = restored.lane.open();
	await restored.clock.advance(2000);
	await opening;
	const before = restored.sink.events.length;
	const waiting = restored.lane.send(restored.batch(2, 5));
	await restored.clock.advance(2000);
	await waiting;
	restored.sink.comeBack();
	await settle();
	await restored.drained();
	expect(restored.sink.events.slice(before)).toEqual(upTo(6, 2));
});

test("SpooledDelivery brings nothing back that was delivered, when the power is lost behind an outage", async () => {
	const first = begin();
	await first.lane.open();
	await spoolAway(first, 1, 4);
	first.sink.comeBack();
	await first.drained();
	await settle();
	await first.lane.send(first.batch(5));
	first.disk.losePower(() => 0);
	const second = begin(first);
	await second.lane.open();
	await second.drained();
	expect(second.sink.events).toEqual(upTo(5));
});

test("SpooledDelivery says how much a run before sent that is neither acknowledged nor on disk", async () => {
	const first = begin();
	await first.lane.open();
	first.sink.isThere = false;
	void first.lane.send(first.batch(1, 7)).catch(() => undefined);
	await settle();
	// Killed: nothing is written any more.
	const second = begin({ ...first, sink: new MoodySink() });
	expect(await second.lane.open()).toMatchObject({ mark: { sequence: 7 } });
	await second.lane.send(second.batch(8));
	expect(second.lane.account().unconfirmed).toBe(7);
	// Its number is not used for something else.
	expect(second.sink.taken.map(({ number }) => number)).toEqual([2]);
});

test("SpooledDelivery puts what is in its hands on disk when it is stopped", async () => {
	const first = begin();
	await first.lane.open();
	first.sink.isThere = false;
	const pending = first.lane.send(first.batch(1));
	await settle();
	first.stop.abort(new Error("stop"));
	expect(await pending).toMatchObject({ kind: "delivered" });
	expect(await first.lane.send(first.batch(2))).toMatchObject({ kind: "delivered" });
	await end(first);
	first.sink.isThere = true;
	const next = begin(first);
	await next.lane.open();
	await next.drained();
	expect(next.sink.events).toEqual(upTo(2));
});

test("SpooledDelivery.flush() sends what is on disk as long as the sink takes it, and does not wait for one that is away", async () => {
	const run = begin();
	await run.lane.open();
	await spoolAway(run, 1, 20);
	let isOver = false;
	const waiting = run.lane.flush().then(() => {
		isOver = true;
	});
	await run.clock.advance(999);
	expect(isOver).toBe(false);
	await run.clock.advance(1);
	await waiting;
	expect(run.lane.account().left.records).toBe(20);
	const flushed = run.lane.flush();
	run.sink.comeBack();
	await run.drained();
	await run.clock.advance(20);
	await flushed;
	expect(run.sink.events).toEqual(upTo(20));
});

test("SpooledDelivery waits while the disk refuses, and keeps the order", async () => {
	const { lane, sink, disk, clock, batch, drained } = begin();
	await lane.open();
	sink.isThere = false;
	disk.capacity = disk.used;
	let settled = false;
	const first = lane.send(batch(1)).then(() => {
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
	await drained();
	await settle();
	await lane.send(batch(2));
	expect(sink.events).toEqual(upTo(2));
});

test("SpooledDelivery stops where a person must decide", async () => {
	const run = begin();
	await run.lane.open();
	await spoolAway(run, 1, 1);
	run.sink.refuses = new OperatingError("two_writers", "two writers");
	run.sink.comeBack();
	await settle();
	expect(run.lane.health()).toMatchObject({ status: "unhealthy" });
	expect(run.lane.send(run.batch(2))).rejects.toThrow("two writers");
});

test("SpooledDelivery with mode always has a batch on disk before its source hears of it, and gives its cursor to the next run", async () => {
	const first = begin(undefined, "always");
	await first.lane.open();
	await first.lane.send({ ...first.batch(1), lastCursor: "c1" });
	expect(first.lane.account().stored.records).toBe(1);
	await first.drained();
	expect([first.sink.events, first.lane.health()]).toEqual([[1], undefined]);
	first.sink.isThere = false;
	for (let sequence = 2; sequence <= 4; sequence++) await first.lane.send({ ...first.batch(sequence), lastCursor: `c${sequence}` });
	expect(first.lane.health()).toBeUndefined();
	await first.clock.advance(2000);
	expect(first.lane.health()).toMatchObject({ status: "degraded" });
	// Killed, and the sink is still away.
	const second = begin(first, "always");
	const opening = second.lane.open();
	await second.clock.advance(2000);
	expect(await opening).toMatchObject({ mark: { cursor: "c4", sequence: 4 } });
	second.sink.comeBack();
	await settle();
	await second.drained();
	expect(second.sink.events).toEqual(upTo(4));
	await end(second);
	const third = begin(second, "always");
	expect(await third.lane.open()).toMatchObject({ mark: { cursor: "c4", sequence: 4 } });
});
