import { expect, test } from "bun:test";
import { balanced, feed, openedLane, upTo } from "../../test/support/lane-harness.ts";
import { settle } from "../../test/support/manual-clock.ts";
import { OperatingError } from "../base/errors.ts";
import { temporaryLaneState } from "../lane/temporary-lane-state.ts";

test("LaneWriter of a live source splits a batch when the limit falls under it", async () => {
	const harness = await openedLane({ delivery: "live" });
	harness.stream.hold();
	feed(harness, 1, 20);
	harness.stream.limit = 1500;
	harness.stream.release();
	await harness.deliver();
	expect(harness.stream.numbers).toEqual(upTo(20));
	expect(harness.stream.stored.length).toBeGreaterThan(4);
	expect(harness.stream.stored.map(({ batch }) => batch)).toEqual(upTo(harness.stream.stored.length));
	expect(harness.stream.stored.at(-1)?.sequence).toBe(20);
	expect(harness.lane.notice).toContain("batches are smaller now");
	expect(harness.rewinds).toEqual([]);
	expect(harness.account.account(harness.lane)).toMatchObject({ received: 20, published: 20, inFlight: 0, truncated: 0 });
	await harness.clock.advance(600_000);
	expect(harness.lane.notice).toBeUndefined();
});

test("LaneWriter of a live source counts the events of a split batch that fit in no form", async () => {
	const harness = await openedLane({ delivery: "live" });
	harness.stream.hold();
	feed(harness, 1, 10);
	harness.stream.limit = 100;
	harness.stream.release();
	await harness.deliver();
	expect(harness.stream.numbers).toEqual([]);
	expect(harness.account.account(harness.lane)).toMatchObject({ received: 10, published: 0, dropped: { too_large: 10 }, inFlight: 0 });
	harness.stream.limit = 4096;
	feed(harness, 11, 20);
	await settle();
	expect(harness.stream.numbers).toEqual(upTo(20, 11));
});

test("LaneWriter finds a limit that the sink does not know", async () => {
	const harness = await openedLane({ delivery: "live" });
	harness.stream.claimed = 64 * 1024;
	harness.stream.limit = 900;
	feed(harness, 1, 10);
	await harness.deliver();
	feed(harness, 11, 20);
	await harness.deliver();
	expect(harness.stream.numbers).toEqual(upTo(20));
	balanced(harness);
});

test("LaneWriter has a replayable source read again when the limit falls under a batch", async () => {
	const harness = await openedLane();
	feed(harness, 1, 10);
	await settle();
	harness.stream.hold();
	feed(harness, 11, 40);
	harness.stream.limit = 1500;
	harness.stream.release();
	await settle();
	expect(harness.rewinds).toEqual(["the server takes less than before"]);
	expect(harness.lane.cursor).toBe("10".padStart(20, "0"));
	expect(harness.lane.inFlight).toBe(0);
	// What its source had given already passes by.
	harness.drain();
	expect(harness.account.account(harness.lane)).toMatchObject({ received: 10, published: 10, inFlight: 0 });
	harness.lane.resume();
	for (let number = 11; number <= 40; number += 5) {
		feed(harness, number, number + 4);
		await harness.deliver();
	}
	expect(harness.stream.numbers).toEqual(upTo(40));
	expect(harness.stream.stored.map(({ batch }) => batch)).toEqual(upTo(harness.stream.stored.length));
	expect(harness.account.account(harness.lane)).toMatchObject({ received: 40, published: 40, inFlight: 0 });
});

test("LaneWriter has a replayable source read again what the stream lost, under numbers that were never used", async () => {
	const harness = await openedLane();
	feed(harness, 1, 30);
	await harness.deliver();
	expect(harness.stream.numbers).toEqual(upTo(30));
	harness.stream.loseBehind(1);
	feed(harness, 31, 40);
	await settle();
	expect(harness.rewinds).toEqual(["the stream went back"]);
	expect(harness.lane.cursor).toBe("10".padStart(20, "0"));
	expect(harness.lane.notice).toContain("what is missing is read and sent again");
	harness.drain();
	harness.lane.resume();
	feed(harness, 11, 40);
	await harness.deliver();
	expect(harness.stream.numbers).toEqual(upTo(40));
	expect(harness.stream.stored.map(({ sequence }) => sequence).at(-1)).toBe(40);
	expect(harness.stream.stored.map(({ batch }) => batch).slice(0, 2)).toEqual([1, 5]);
	balanced(harness);
});

test("LaneWriter of a live source sends the same batch again where the stream went back", async () => {
	const harness = await openedLane({ delivery: "live" });
	feed(harness, 1, 20);
	await harness.deliver();
	harness.stream.loseBehind(1);
	feed(harness, 21, 30);
	await settle();
	expect(harness.rewinds).toEqual([]);
	expect(harness.stream.numbers).toEqual([...upTo(10), ...upTo(30, 21)]);
	expect(harness.lane.notice).toContain("cannot be read again");
	balanced(harness);
});

test("LaneWriter.open() begins behind what a stream still holds, and says it once", async () => {
	const first = await openedLane();
	feed(first, 1, 30);
	await first.deliver();
	first.stream.loseBehind(2);
	const second = await openedLane({ stream: first.stream, state: first.state });
	expect(second.position).toBe("20".padStart(20, "0"));
	expect(second.log.map(({ level, message }) => [level, message])).toEqual([["error", "The stream holds less than it acknowledged."]]);
	const third = await openedLane({ stream: first.stream, state: first.state });
	expect(third.position).toBe("20".padStart(20, "0"));
	expect(third.log).toEqual([]);
	feed(third, 21, 30);
	await third.deliver();
	expect(third.stream.numbers).toEqual(upTo(30));
	expect(third.stream.stored.map(({ batch }) => batch)).toEqual([1, 2, 4]);
});

test("LaneWriter.open() begins behind a batch that arrived late under a number that was given up, not where the state stands", async () => {
	const first = await openedLane();
	feed(first, 1, 20);
	await first.deliver();
	const state = temporaryLaneState("0a1b");
	// The stream had gone back behind batch 1, 2 was used and seen no more, and a filter left two records out since.
	state.acknowledge({ batch: 2, cursor: "12".padStart(20, "0"), sequence: 10 });
	const second = await openedLane({ stream: first.stream, state });
	expect(second.position).toBe("20".padStart(20, "0"));
	feed(second, 21, 30);
	await second.deliver();
	expect(second.stream.numbers).toEqual(upTo(30));
});

test("LaneWriter.open() gives up the number of a batch that was cut from another place than the stream stands at", async () => {
	const first = await openedLane();
	feed(first, 1, 20);
	await first.deliver();
	const state = temporaryLaneState("0a1b");
	const [firstCursor, lastCursor] = ["10".padStart(20, "0"), "25".padStart(20, "0")];
	state.append({ number: 3, count: 15, firstSequence: 11, lastSequence: 25, firstCursor, lastCursor, configuration: "1" });
	const second = await openedLane({ stream: first.stream, state });
	feed(second, 21, 30);
	await second.deliver();
	expect(second.stream.numbers).toEqual(upTo(30));
	expect(second.stream.stored.map(({ batch }) => batch)).toEqual([1, 2, 4]);
});

test("LaneWriter goes on where its state cannot be written, says so once, and takes it back when it can", async () => {
	const inner = temporaryLaneState("0a1b");
	let broken = true;
	const fail = () => {
		if (broken) throw new OperatingError("state_write", "Write the state of the lane: ENOSPC", { hint: "make room" });
	};
	const state = {
		id: inner.id,
		get acknowledged() {
			return inner.acknowledged;
		},
		get pending() {
			return inner.pending;
		},
		get settled() {
			return inner.settled;
		},
		get beginning() {
			return inner.beginning;
		},
		spool: inner.spool,
		adoptSpool: inner.adoptSpool,
		append(manifest: Parameters<typeof inner.append>[0]) {
			fail();
			inner.append(manifest);
		},
		acknowledge(mark: Parameters<typeof inner.acknowledge>[0]) {
			fail();
			inner.acknowledge(mark);
		},
		adopt: inner.adopt,
		[Symbol.dispose]: inner[Symbol.dispose],
	};
	const harness = await openedLane({ state });
	feed(harness, 1, 20);
	await harness.deliver();
	expect(harness.stream.numbers).toEqual(upTo(20));
	expect(harness.lane.stateFailure).toContain("make room");
	expect(harness.log.filter(({ level }) => level === "error").length).toBe(1);
	broken = false;
	feed(harness, 21, 30);
	await settle();
	expect(harness.lane.stateFailure).toBeUndefined();
	expect(harness.state.acknowledged.sequence).toBe(30);
});

test("LaneWriter stops where a person must decide, takes nothing more, and keeps its account", async () => {
	const harness = await openedLane();
	harness.stream.refuse(new OperatingError("two_writers", "Two writers"));
	feed(harness, 1, 15);
	await settle();
	expect(harness.stops).toMatchObject([{ code: "two_writers" }]);
	expect(harness.lane.isOpen).toBe(false);
	harness.write(16);
	expect(harness.drain()).toMatchObject({ records: 0, blocked: true });
	await harness.deliver();
	expect(harness.account.account(harness.lane)).toMatchObject({ received: 16, published: 0, inFlight: 16 });
});
