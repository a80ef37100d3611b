import { OperatingError } from "../../src/base/errors.ts";
import { makeRun } from "../../src/base/run.ts";
import { openLaneState } from "../../src/lane/lane-state.ts";
import type { CutBatch } from "../../src/orchestrator/batch-delivery.ts";
import { LaneDelivery } from "../../src/orchestrator/lane-delivery.ts";
import { SpooledDelivery, type SpooledDeliveryOptions } from "../../src/orchestrator/spooled-delivery.ts";
import { Memory } from "../../src/platform/ffi/memory.ts";
import { type Batch, batchHeadroom, batchTailroom, type LanePosition, type LaneStart, type SinkLane } from "../../src/sinks/sink.ts";
import { openSpool } from "../../src/spool/open-spool.ts";
import { localStore } from "../../src/spool/store.ts";
import { silentLog } from "../../src/telemetry/log.ts";
import { manualClock, settle } from "./manual-clock.ts";
import { MemoryFiles } from "./memory-files.ts";
import { SpoolDisk } from "./spool-disk.ts";

export interface Taken {
	readonly number: number;
	readonly events: readonly number[];
	readonly run: number;
	readonly sequence: number;
}

/** A sink that takes batches while it is there, and otherwise never answers. */
export class MoodySink implements SinkLane {
	isThere = true;
	/** What the next send is refused with. */
	refuses: unknown;
	/** Bytes of a batch at most. */
	limit = 1 << 20;
	/** Of the batches from now on, the one that is taken and whose answer is lost; 0 for none. */
	losesAnswer = 0;
	readonly taken: Taken[] = [];
	#waiting: (() => void)[] = [];

	comeBack(): void {
		this.isThere = true;
		for (const wake of this.#waiting.splice(0)) wake();
	}

	get published(): number {
		return this.taken.reduce((sum, { events }) => sum + events.length, 0);
	}

	get events(): number[] {
		return this.taken.flatMap(({ events }) => events);
	}

	async open(local: LaneStart, signal: AbortSignal): Promise<LanePosition> {
		await this.#present(signal);
		const last = this.taken.at(-1);
		return last === undefined ? local : { batch: last.number, cursor: "", sequence: last.sequence, run: last.run };
	}

	batchBytesMax(): number {
		return this.limit;
	}

	async send({ number, memory, offset, length, lastSequence, run }: Batch, signal: AbortSignal): Promise<LanePosition> {
		for (;;) {
			await this.#present(signal);
			const { refuses } = this;
			this.refuses = undefined;
			if (refuses !== undefined) throw refuses;
			const last = this.taken.at(-1);
			if (last !== undefined && last.number >= number) {
				if (last.number !== number || last.run !== run || last.sequence !== lastSequence) throw new Error(`Batch ${number} is taken by another one`);
				return { batch: number, cursor: "", sequence: lastSequence, run };
			}
			if (length > this.limit) throw new OperatingError("batch_too_large", "too large", { limit: this.limit });
			const events: number[] = JSON.parse(new TextDecoder().decode(memory.bytes.subarray(offset, offset + length))).map(({ n }: { n: number }) => n);
			this.taken.push({ number, events, run, sequence: lastSequence });
			const isLost = this.losesAnswer === 1;
			this.losesAnswer = Math.max(0, this.losesAnswer - 1);
			if (!isLost) return { batch: number, cursor: "", sequence: lastSequence, run };
			this.isThere = false;
		}
	}

	async #present(signal: AbortSignal): Promise<void> {
		while (!this.isThere) {
			signal.throwIfAborted();
			await new Promise<void>((resolve, reject) => {
				this.#waiting.push(resolve);
				signal.addEventListener("abort", () => reject(signal.reason), { once: true });
			});
		}
	}
}

const limits = { maxBytes: 1 << 20, maxAge: Number.POSITIVE_INFINITY, fsync: "never" } as const;

export interface House {
	readonly disk: SpoolDisk;
	readonly files: MemoryFiles;
	readonly sink: MoodySink;
	/** Milliseconds that events may wait on disk. */
	readonly expires?: number;
}

/** What outlives a run: the disk of the spool, the files of the state, and the sink. */
export function house(): House {
	return { disk: new SpoolDisk(), files: new MemoryFiles(), sink: new MoodySink() };
}

let runs = 0;

/** One run of an agent. */
export function begin(
	{ disk, files, sink, expires = Number.POSITIVE_INFINITY }: House = house(),
	mode: SpooledDeliveryOptions["mode"] = "when-away",
) {
	const clock = manualClock();
	const stop = new AbortController();
	const state = openLaneState("/state", "kernel", { files, log: silentLog, randomId: () => "0a1b" });
	const spool = localStore(openSpool("/state", { name: "kernel", id: state.id }, { ...limits, maxAge: expires }, { files: disk, log: silentLog }));
	const run = makeRun(++runs / 1000);
	const common = { state, clock, log: silentLog, signal: stop.signal };
	const numbered = new LaneDelivery({ ...common, source: "kept", sink, configuration: "" });
	const lane = new SpooledDelivery({ ...common, delivery: numbered, spool, mode, run });
	/** A batch of `count` events, whose numbers are their sequences. */
	const batch = (first: number, count = 1): CutBatch => {
		const text = new TextEncoder().encode(JSON.stringify(Array.from({ length: count }, (_, index) => ({ n: first + index }))));
		const memory = Memory.allocate(batchHeadroom + text.length + batchTailroom);
		memory.bytes.set(text, batchHeadroom);
		return { memory, offset: batchHeadroom, length: text.length, count, firstSequence: first, lastSequence: first + count - 1, lastCursor: "", run };
	};
	/** Lets what is on disk go out as far as it goes. */
	const drained = async () => {
		for (let round = 0; round < 80 && lane.account().left.records > 0; round++) await settle();
	};
	return { disk, files, sink, clock, stop, state, spool, lane, batch, drained, run };
}

export type Run = ReturnType<typeof begin>;

export const upTo = (last: number, first = 1) => Array.from({ length: last - first + 1 }, (_, index) => first + index);

/** The sink goes away, and batches of one event each go to disk, the first of them when it has waited in vain. */
export async function spoolAway({ sink, lane, clock, batch }: Run, first: number, last: number): Promise<void> {
	sink.isThere = false;
	const waiting = lane.send(batch(first));
	await clock.advance(2000);
	await waiting;
	for (let sequence = first + 1; sequence <= last; sequence++) await lane.send(batch(sequence));
}

/** Ends a run as an operator does. */
export async function end({ stop, lane, state }: Run): Promise<void> {
	stop.abort(new Error("stop"));
	await settle();
	await lane.close();
	state[Symbol.dispose]();
}
