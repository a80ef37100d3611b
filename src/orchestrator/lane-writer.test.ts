import { expect, test } from "bun:test";
import fc from "fast-check";
import { type LaneHarness, type LaneSettings, laneHarness, ModelStream } from "../../test/support/lane-harness.ts";
import { settle } from "../../test/support/manual-clock.ts";
import { kindPosition } from "../../test/support/mock-event-source.ts";
import { OperatingError } from "../base/errors.ts";
import { temporaryLaneState } from "../lane/temporary-lane-state.ts";
import { imbalance } from "../telemetry/ledger.ts";

async function opened(settings: LaneSettings = {}): Promise<LaneHarness & { readonly position: string | undefined }> {
	const harness = await laneHarness(settings);
	return Object.assign(harness, { position: await harness.lane.open() });
}

/** Writes records `from` to `to` and drains them. */
function feed(harness: LaneHarness, from: number, to: number, size?: number): void {
	for (let number = from; number <= to; number++) expect(harness.write(number, size)).toBe(true);
	harness.drain();
}

function upTo(count: number, from = 1): number[] {
	return Array.from({ length: count - from + 1 }, (_, index) => from + index);
}

function balanced({ account, lane }: LaneHarness): void {
	expect(imbalance(account.account(lane))).toBe(0);
}

test("LaneWriter cuts by count, and by the delay where events are few", async () => {
	const harness = await opened();
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
	const harness = await opened({ eventsMax: 1000, bytesMax: 4096 });
	for (let number = 1; number <= 60; number += 15) {
		feed(harness, number, number + 14, 200);
		await harness.deliver();
	}
	expect(harness.stream.numbers).toEqual(upTo(60));
	for (const { text } of harness.stream.stored) expect(text.length).toBeLessThanOrEqual(4096);
	expect(Math.max(...harness.stream.stored.map(({ text }) => text.length))).toBeGreaterThan(3500);
});

test("LaneWriter holds two batches, then leaves records in the ring, and says when it has room", async () => {
	const harness = await opened();
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
	const first = await opened();
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
	const first = await opened({ stream });
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
	const second = await opened({ stream: new ModelStream(), state: first.state });
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
	const first = await opened();
	first.stream.hold();
	feed(first, 1, 10);
	const second = await opened({ stream: new ModelStream(), state: first.state });
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
	const first = await opened({ configuration: "before" });
	first.stream.hold();
	feed(first, 1, 10);
	const second = await opened({ stream: new ModelStream(), state: first.state, configuration: "after", eventsMax: 3 });
	feed(second, 1, 3);
	await second.deliver();
	expect(second.stream.stored.map(({ numbers }) => numbers)).toEqual([upTo(3)]);
});

test("LaneWriter of a live source skips the number of an unconfirmed batch, and counts its events", async () => {
	const first = await opened({ delivery: "live" });
	first.stream.hold();
	feed(first, 1, 7);
	await first.clock.advance(50);
	first.lane.tick();
	const second = await opened({ delivery: "live", stream: new ModelStream(), state: first.state });
	expect(second.position).toBeUndefined();
	expect(second.account.account(second.lane).lost).toEqual({ previous_run: 7 });
	feed(second, 8, 17);
	await settle();
	expect(second.stream.stored).toMatchObject([{ batch: 2, sequence: 17 }]);
	balanced(second);
});

test("LaneWriter saves a position that no event carries", async () => {
	const harness = await opened();
	feed(harness, 1, 10);
	await settle();
	harness.write(90, 64, kindPosition);
	harness.drain();
	expect(harness.state.acknowledged.cursor).toBe("10".padStart(20, "0"));
	await harness.clock.advance(60_000);
	harness.lane.tick();
	expect(harness.state.acknowledged).toEqual({ batch: 1, cursor: "90".padStart(20, "0"), sequence: 10 });
	const second = await opened({ stream: harness.stream, state: harness.state });
	expect(second.position).toBe("90".padStart(20, "0"));
	balanced(harness);
});

test("LaneWriter saves a position at the end, behind the events before it", async () => {
	const harness = await opened();
	feed(harness, 1, 3);
	harness.write(9, 64, kindPosition);
	harness.drain();
	await harness.deliver();
	expect(harness.stream.stored.at(-1)?.cursor).toBe("3".padStart(20, "0"));
	expect(harness.state.acknowledged.cursor).toBe("9".padStart(20, "0"));
});

test("LaneWriter cuts an event that no batch holds, and says so in the event", async () => {
	const harness = await opened({ bytesMax: 4096 });
	feed(harness, 1, 1);
	feed(harness, 2, 2, 20_000);
	await settle();
	feed(harness, 3, 3);
	await settle();
	await harness.deliver();
	expect(harness.stream.numbers).toEqual([1, 2, 3]);
	const large: { truncated?: boolean }[] = harness.stream.stored.flatMap(({ text }) => JSON.parse(text));
	expect(large.map(({ truncated }) => truncated)).toEqual([undefined, true, undefined]);
	expect(harness.account.account(harness.lane)).toMatchObject({ received: 3, published: 3, truncated: 1, dropped: {} });
});

test("LaneWriter drops an event that cannot be cut so far, counts it, and goes on", async () => {
	const harness = await opened({ bytesMax: 4096 });
	harness.stream.limit = 150;
	feed(harness, 1, 1, 20_000);
	harness.stream.limit = 4096;
	feed(harness, 2, 2);
	await harness.deliver();
	expect(harness.stream.numbers).toEqual([2]);
	expect(harness.account.account(harness.lane)).toMatchObject({ received: 2, published: 1, dropped: { too_large: 1 }, inFlight: 0 });
	balanced(harness);
});

test("LaneWriter of a live source splits a batch when the limit falls under it", async () => {
	const harness = await opened({ delivery: "live" });
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
	const harness = await opened({ delivery: "live" });
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
	const harness = await opened({ delivery: "live" });
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
	const harness = await opened();
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
	const harness = await opened();
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
	const harness = await opened({ delivery: "live" });
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
	const first = await opened();
	feed(first, 1, 30);
	await first.deliver();
	first.stream.loseBehind(2);
	const second = await opened({ stream: first.stream, state: first.state });
	expect(second.position).toBe("20".padStart(20, "0"));
	expect(second.log.map(({ level, message }) => [level, message])).toEqual([["error", "The stream holds less than it acknowledged."]]);
	const third = await opened({ stream: first.stream, state: first.state });
	expect(third.position).toBe("20".padStart(20, "0"));
	expect(third.log).toEqual([]);
	feed(third, 21, 30);
	await third.deliver();
	expect(third.stream.numbers).toEqual(upTo(30));
	expect(third.stream.stored.map(({ batch }) => batch)).toEqual([1, 2, 4]);
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
		get beginning() {
			return inner.beginning;
		},
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
	const harness = await opened({ state });
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
	const harness = await opened();
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

test("LaneWriter delivers each record once and in order through limits that fall, streams that go back, and crashes", async () => {
	const step = fc.oneof(
		fc.record({ kind: fc.constant("feed"), count: fc.integer({ min: 1, max: 30 }), size: fc.constantFrom(32, 64, 300, 3000) }),
		fc.record({ kind: fc.constant("position") }),
		fc.record({ kind: fc.constant("pass"), milliseconds: fc.constantFrom(1, 30, 60, 6000) }),
		fc.record({ kind: fc.constantFrom("hold", "release", "crash") }),
		fc.record({ kind: fc.constant("limit"), limit: fc.constantFrom(1024, 2048, 8192) }),
		fc.record({ kind: fc.constant("lose"), keep: fc.integer({ min: 1, max: 6 }) }),
	);
	await fc.assert(
		fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
			const run = new SourceRun(await opened({ bytesMax: 8192 }));
			for (const each of steps) await run.step(each);
			await run.finish();
			expect(run.harness.stops).toEqual([]);
			expect(run.harness.stream.numbers).toEqual(upTo(run.produced));
			const sequences = run.harness.stream.stored.map(({ sequence }) => sequence);
			expect(sequences.at(-1) ?? 0).toBe(run.produced);
			expect(run.harness.lane.inFlight).toBe(0);
		}),
		{ numRuns: 300 },
	);
}, 60_000);

interface Step {
	readonly kind: string;
	readonly count?: number;
	readonly size?: number;
	readonly milliseconds?: number;
	readonly limit?: number;
	readonly keep?: number;
}

/** A replayable source of numbered records and what an orchestrator does for its lane. */
class SourceRun {
	harness: LaneHarness;
	/** Last number that the source ever had. */
	produced = 0;
	/** Last number that was read from it. */
	#read = 0;
	#sizes: number[] = [];

	constructor(harness: LaneHarness) {
		this.harness = harness;
	}

	async step({ kind, count = 0, size = 64, milliseconds = 0, limit = 0, keep = 0 }: Step): Promise<void> {
		const { stream, clock, lane } = this.harness;
		if (kind === "feed") {
			for (let index = 0; index < count; index++) this.#sizes.push(size);
			this.produced += count;
		} else if (kind === "position" && this.#read === this.produced) this.harness.write(this.#read, 64, kindPosition);
		else if (kind === "pass") await clock.advance(milliseconds);
		else if (kind === "hold") stream.hold();
		else if (kind === "release") stream.release();
		else if (kind === "limit") stream.limit = limit;
		else if (kind === "lose") stream.loseBehind(keep);
		else if (kind === "crash") await this.#crash();
		lane.tick();
		await this.#turn();
	}

	async finish(): Promise<void> {
		this.harness.stream.release();
		// What was lost behind the last batch shows when the next one is sent.
		await this.step({ kind: "feed", count: 1 });
		for (let round = 0; round < 500; round++) {
			await this.#turn();
			await this.harness.lane.flush();
			if (this.#read === this.produced && this.harness.rewinds.length === 0 && !this.harness.drain().blocked && this.harness.lane.inFlight === 0)
				return;
		}
		throw new Error("The lane does not come to rest");
	}

	async #turn(): Promise<void> {
		const { harness } = this;
		while (this.#read < this.produced && harness.writer.hasRoom(3000)) harness.write(++this.#read, this.#sizes[this.#read - 1]);
		harness.drain();
		await settle();
		balanced(harness);
		if (harness.rewinds.splice(0).length === 0) return;
		while (harness.drain().records > 0);
		harness.lane.resume();
		this.#read = Number(harness.lane.cursor ?? 0);
	}

	/** The agent ends without a word; a batch on its way is stored or not. */
	async #crash(): Promise<void> {
		const { stream, state } = this.harness;
		this.harness.abort.abort(new Error("crashed"));
		stream.release();
		await settle();
		const next = await opened({ bytesMax: 8192, stream, state });
		this.harness = next;
		this.#read = Number(next.position ?? 0);
	}
}
