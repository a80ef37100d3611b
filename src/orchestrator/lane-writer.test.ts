import { expect, test } from "bun:test";
import { expectAccount } from "../../test/support/expect-account.ts";
import { balanced, feed, laneHarness, ModelStream, openedLane, upTo } from "../../test/support/lane-harness.ts";
import { settle } from "../../test/support/manual-clock.ts";
import { kindPosition } from "../../test/support/mock-event-source.ts";

test("LaneWriter cuts by count, and by the delay where events are few", async () => {
	const harness = await openedLane();
	feed(harness, 1, 25);
	await settle();
	harness.drain();
	await settle();
	expect(harness.stream.stored.map(({ numbers }) => numbers.length)).toEqual([10, 10]);
	await harness.clock.advance(49);
	harness.lane.tick();
	await settle();
	expect(harness.stream.numbers).toEqual(upTo(20));
	await harness.clock.advance(1);
	harness.lane.tick();
	await settle();
	expect(harness.stream.numbers).toEqual(upTo(25));
	expect(harness.stream.stored.map(({ batch, sequence }) => [batch, sequence])).toEqual([
		[1, 10],
		[2, 20],
		[3, 25],
	]);
	balanced(harness);
});

test("LaneWriter cuts by bytes: no batch is larger, and none could hold one more", async () => {
	const harness = await openedLane({ eventsMax: 1000, bytesMax: 4096 });
	for (let number = 1; number <= 60; number += 15) {
		feed(harness, number, number + 14, 200);
		await harness.deliver();
	}
	expect(harness.stream.numbers).toEqual(upTo(60));
	for (const { text } of harness.stream.stored) expect(text.length).toBeLessThanOrEqual(4096);
	expect(Math.max(...harness.stream.stored.map(({ text }) => text.length))).toBeGreaterThan(3500);
});

test("A turn of the drain ends behind a batch that was cut in it, and not for one that was cut before it", async () => {
	const harness = await openedLane();
	for (let number = 1; number <= 25; number++) harness.write(number);
	expect(harness.turn()).toMatchObject({ records: 10, cut: true });
	await settle();
	expect(harness.stream.numbers).toEqual(upTo(10));
	expect(harness.turn()).toMatchObject({ records: 10, cut: true });
	expect(harness.turn()).toMatchObject({ records: 5, cut: false });
	await settle();
	await harness.clock.advance(50);
	harness.lane.tick();
	await settle();
	expect(harness.stream.numbers).toEqual(upTo(25));
	for (let number = 26; number <= 28; number++) harness.write(number);
	expect(harness.turn()).toMatchObject({ records: 3, cut: false });
	await harness.deliver();
	balanced(harness);
});

test("LaneWriter holds two batches, then leaves records in the ring, and says when it has room", async () => {
	const harness = await openedLane();
	harness.stream.hold();
	feed(harness, 1, 35);
	expect(harness.lane.inFlight).toBe(20);
	expect(harness.drain()).toMatchObject({ records: 0, blocked: true });
	expect(harness.account.account(harness.lane)).toMatchObject({ received: 35, published: 0, inFlight: 35 });
	harness.stream.release();
	await settle();
	expect(harness.rooms).toBeGreaterThan(0);
	await harness.deliver();
	expect(harness.stream.numbers).toEqual(upTo(35));
	expect(harness.account.account(harness.lane)).toMatchObject({ received: 35, published: 35, inFlight: 0 });
});

test("LaneWriter takes nothing before it is open, and asks for the position behind what is stored", async () => {
	const first = await openedLane();
	feed(first, 1, 10);
	await settle();
	const second = await laneHarness({ stream: first.stream, state: first.state });
	second.write(11);
	expect(second.drain()).toMatchObject({ records: 0, blocked: true });
	expect(await second.lane.open()).toBe("10".padStart(20, "0"));
	second.drain();
	await second.deliver();
	expect(second.stream.numbers).toEqual(upTo(11));
	expect(second.stream.stored.at(-1)).toMatchObject({ batch: 2, sequence: 11 });
});

test("LaneWriter cuts a predecessor's batch again byte for byte, whatever stood between its events", async () => {
	const stream = new ModelStream();
	const first = await openedLane({ stream });
	feed(first, 1, 10);
	await settle();
	stream.hold();
	first.write(11);
	first.write(12);
	first.write(13, 64, kindPosition);
	first.drain();
	await first.clock.advance(100);
	first.lane.tick();
	const pending = first.state.pending;
	expect(pending).toMatchObject({ number: 2, count: 2, lastCursor: "12".padStart(20, "0") });
	// The agent ends here; the server had it all, and the bytes arrive after its successor has asked.
	const second = await openedLane({ stream: new ModelStream(), state: first.state });
	feed(second, 11, 30);
	await second.deliver();
	const again = second.stream.stored[0];
	stream.release();
	await settle();
	expect(again).toEqual(stream.stored[1]);
	expect(again?.numbers).toEqual([11, 12]);
	expect(second.stream.numbers).toEqual(upTo(30, 11));
});

test("LaneWriter waits for the last record of a predecessor's batch, but not for ever", async () => {
	const first = await openedLane();
	first.stream.hold();
	feed(first, 1, 10);
	const second = await openedLane({ stream: new ModelStream(), state: first.state });
	feed(second, 1, 4);
	await second.clock.advance(4999);
	second.lane.tick();
	await settle();
	expect(second.stream.numbers).toEqual([]);
	await second.clock.advance(1);
	second.lane.tick();
	await settle();
	expect(second.stream.numbers).toEqual([1, 2, 3, 4]);
});

test("LaneWriter cuts by its own rules where the configuration has changed since", async () => {
	const first = await openedLane({ configuration: "before" });
	first.stream.hold();
	feed(first, 1, 10);
	const second = await openedLane({ stream: new ModelStream(), state: first.state, configuration: "after", eventsMax: 3 });
	feed(second, 1, 3);
	await second.deliver();
	expect(second.stream.stored.map(({ numbers }) => numbers)).toEqual([upTo(3)]);
});

test("LaneWriter of a live source skips the number of an unconfirmed batch, and counts its events", async () => {
	const first = await openedLane({ delivery: "live" });
	first.stream.hold();
	feed(first, 1, 7);
	await first.clock.advance(50);
	first.lane.tick();
	const second = await openedLane({ delivery: "live", stream: new ModelStream(), state: first.state });
	expect(second.position).toBeUndefined();
	expect(second.account.account(second.lane).lost).toEqual({ previous_run: 7 });
	feed(second, 8, 17);
	await settle();
	expect(second.stream.stored).toMatchObject([{ batch: 2, sequence: 17 }]);
	balanced(second);
});

test("LaneWriter saves a position that no event carries", async () => {
	const harness = await openedLane();
	feed(harness, 1, 10);
	await settle();
	harness.write(90, 64, kindPosition);
	harness.drain();
	expect(harness.state.acknowledged.cursor).toBe("10".padStart(20, "0"));
	await harness.clock.advance(60_000);
	harness.lane.tick();
	expect(harness.state.acknowledged).toEqual({ batch: 1, cursor: "90".padStart(20, "0"), sequence: 10 });
	const second = await openedLane({ stream: harness.stream, state: harness.state });
	expect(second.position).toBe("90".padStart(20, "0"));
	balanced(harness);
});

test("LaneWriter saves a position at the end, behind the events before it", async () => {
	const harness = await openedLane();
	feed(harness, 1, 3);
	harness.write(9, 64, kindPosition);
	harness.drain();
	await harness.deliver();
	expect(harness.stream.stored.at(-1)?.cursor).toBe("3".padStart(20, "0"));
	expect(harness.state.acknowledged.cursor).toBe("9".padStart(20, "0"));
});

test("LaneWriter cuts an event that no batch holds, and says so in the event", async () => {
	const harness = await openedLane({ bytesMax: 4096 });
	feed(harness, 1, 1);
	feed(harness, 2, 2, 20_000);
	await settle();
	feed(harness, 3, 3);
	await settle();
	await harness.deliver();
	expect(harness.stream.numbers).toEqual([1, 2, 3]);
	const large: { truncated?: boolean }[] = harness.stream.stored.flatMap(({ text }) => JSON.parse(text));
	expect(large.map(({ truncated }) => truncated)).toEqual([undefined, true, undefined]);
	expectAccount(harness.account.account(harness.lane), { received: 3, published: 3, truncated: 1, dropped: {} });
});

test("LaneWriter drops an event that cannot be cut so far, counts it, and goes on", async () => {
	const harness = await openedLane({ bytesMax: 4096 });
	harness.stream.limit = 150;
	feed(harness, 1, 1, 20_000);
	harness.stream.limit = 4096;
	feed(harness, 2, 2);
	await harness.deliver();
	expect(harness.stream.numbers).toEqual([2]);
	expect(harness.account.account(harness.lane)).toMatchObject({ received: 2, published: 1, dropped: { too_large: 1 }, inFlight: 0 });
	balanced(harness);
});
