import { expect, test } from "bun:test";
import fc from "fast-check";
import { balanced, type LaneHarness, openedLane, upTo } from "../../test/support/lane-harness.ts";
import { settle } from "../../test/support/manual-clock.ts";
import { kindPosition } from "../../test/support/mock-event-source.ts";

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
			const run = new SourceRun(await openedLane({ bytesMax: 8192 }));
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
		const next = await openedLane({ bytesMax: 8192, stream, state });
		this.harness = next;
		this.#read = Number(next.position ?? 0);
	}
}
