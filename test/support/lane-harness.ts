import { expect } from "bun:test";
import { OperatingError } from "../../src/base/errors.ts";
import type { CollectorDefinition, Delivery } from "../../src/collectors/collector.ts";
import type { LaneState } from "../../src/lane/lane-state.ts";
import { temporaryLaneState } from "../../src/lane/temporary-lane-state.ts";
import { type DrainedRing, type DrainTurn, drainRing } from "../../src/orchestrator/drain.ts";
import { LaneDelivery } from "../../src/orchestrator/lane-delivery.ts";
import { LaneWriter } from "../../src/orchestrator/lane-writer.ts";
import { RingAccount } from "../../src/orchestrator/ring-account.ts";
import { Memory } from "../../src/platform/ffi/memory.ts";
import { RingReader } from "../../src/ring/reader.ts";
import { createRing } from "../../src/ring/ring.ts";
import { type RecordWriter, RingProducer } from "../../src/ring/writer.ts";
import type { Batch, LanePosition, LaneStart, SinkLane } from "../../src/sinks/sink.ts";
import { imbalance } from "../../src/telemetry/ledger.ts";
import { createLog, type LogEntry } from "../../src/telemetry/log.ts";
import { type ManualClock, manualClock } from "./manual-clock.ts";
import { mockCollector, writeMockRecord } from "./mock-event-source.ts";

/** One batch as a model stream holds it. */
export interface StoredBatch extends LanePosition {
	readonly text: string;
	/** Numbers of the mock's records in it. */
	readonly numbers: readonly number[];
}

/** The one subject of a lane in a stream, as a test plays it: it can stand still, lower its limit, and lose what it held. */
export class ModelStream implements SinkLane {
	readonly stored: StoredBatch[] = [];
	/** Content by number of everything that was ever stored: a number stands for one content. */
	readonly #known = new Map<number, string>();
	limit = 1 << 20;
	/** What batchBytesMax says where it is not the limit. */
	claimed: number | undefined;
	#gate: PromiseWithResolvers<void> | undefined;
	#acknowledged = 0;
	#refuse: OperatingError | undefined;

	async open(local: LaneStart): Promise<LanePosition> {
		this.#acknowledged = local.batch;
		const position = this.#position() ?? { batch: local.batch, cursor: local.cursor, sequence: local.sequence };
		this.#acknowledged = position.batch;
		return position;
	}

	batchBytesMax(): number {
		return this.claimed ?? this.limit;
	}

	async send(batch: Batch, signal: AbortSignal): Promise<LanePosition> {
		while (this.#gate !== undefined) await this.#gate.promise;
		signal.throwIfAborted();
		if (this.#refuse !== undefined) throw this.#refuse;
		const back = this.#position();
		if (back?.finding !== undefined) {
			this.#acknowledged = back.batch;
			return back;
		}
		if (batch.length > this.limit) throw new OperatingError("batch_too_large", "Too large", { limit: this.batchBytesMax() });
		if (batch.number <= this.#acknowledged) throw new Error(`Batch ${batch.number} came behind ${this.#acknowledged}`);
		const text = new TextDecoder("utf-8", { fatal: true }).decode(batch.memory.bytes.subarray(batch.offset, batch.offset + batch.length));
		const known = this.#known.get(batch.number);
		if (known !== undefined && known !== text) throw new Error(`The number ${batch.number} was used for something else before`);
		this.#known.set(batch.number, text);
		const events: { data: { attributes: { "mock.number": string } } }[] = JSON.parse(text);
		if (events.length !== batch.count) throw new Error(`Batch ${batch.number} says ${batch.count} events and holds ${events.length}`);
		const position = { batch: batch.number, cursor: batch.lastCursor, sequence: batch.lastSequence };
		const numbers = events.map(({ data }) => Number(data.attributes["mock.number"]));
		this.stored.push({ ...position, text, numbers });
		this.#acknowledged = batch.number;
		return position;
	}

	/** Sends wait until `release`. */
	hold(): void {
		this.#gate ??= Promise.withResolvers();
	}

	release(): void {
		this.#gate?.resolve();
		this.#gate = undefined;
	}

	/** Every send from now on rejects. */
	refuse(error: OperatingError): void {
		this.#refuse = error;
	}

	/** Loses all but the first `count` batches. */
	loseBehind(count: number): void {
		this.stored.length = Math.min(this.stored.length, count);
	}

	/** Numbers of the mock's records, in the order in which they are stored. */
	get numbers(): number[] {
		return this.stored.flatMap(({ numbers }) => numbers);
	}

	#position(): LanePosition | undefined {
		const last = this.stored.at(-1);
		// An empty subject tells nothing: retention may have removed what was there.
		if (last === undefined) return undefined;
		const { batch, cursor, sequence } = last;
		const finding = batch < this.#acknowledged ? ({ kind: "went_back", acknowledged: this.#acknowledged } as const) : undefined;
		return { batch, cursor, sequence, ...(finding === undefined ? {} : { finding }) };
	}
}

/** What tests of a lane set. */
export interface LaneSettings {
	readonly delivery?: Delivery;
	readonly eventsMax?: number;
	readonly bytesMax?: number;
	readonly delayMax?: number;
	readonly state?: LaneState;
	readonly stream?: ModelStream;
	readonly configuration?: string;
	readonly ringCapacity?: number;
}

/** A lane with its ring and a model stream behind it. */
export interface LaneHarness {
	readonly lane: LaneWriter;
	readonly stream: ModelStream;
	readonly state: LaneState;
	readonly clock: ManualClock;
	readonly log: readonly LogEntry[];
	readonly writer: RecordWriter;
	readonly producer: RingProducer;
	readonly account: RingAccount;
	/** Reasons for which the source is to be read again. */
	readonly rewinds: string[];
	/** Errors that stopped the lane. */
	readonly stops: unknown[];
	/** Times that a blocked lane said that it has room. */
	rooms: number;
	readonly abort: AbortController;
	/** Writes a record of the mock; false where the ring has no room. */
	write(number: number, size?: number, kind?: number): boolean;
	/** Publishes what was written and drains the ring for one turn. */
	turn(): DrainTurn;
	/** Publishes what was written and drains the ring as far as it goes. */
	drain(): DrainTurn;
	/** Drains and sends until the ring is empty and everything is acknowledged. */
	deliver(): Promise<void>;
}

/** Makes one; it is not opened yet. */
export async function laneHarness(settings: LaneSettings = {}): Promise<LaneHarness> {
	const { delivery = "replayable", eventsMax = 10, bytesMax = 64 * 1024, delayMax = 50, ringCapacity = 1 << 20 } = settings;
	const memory = Memory.allocate(4096 + ringCapacity);
	createRing(memory, [ringCapacity]);
	const producer = new RingProducer(memory);
	const reader = new RingReader(memory);
	const clock = manualClock();
	const stream = settings.stream ?? new ModelStream();
	const state = settings.state ?? temporaryLaneState("0a1b");
	const abort = new AbortController();
	const log: LogEntry[] = [];
	const rewinds: string[] = [];
	const stops: unknown[] = [];
	const definition: CollectorDefinition = { ...forgettingConfig(mockCollector), delivery };
	const decoder = await mockCollector.createDecoder({ steps: [], startFails: false, stopFails: false }, { cluster: "c", node: "n" }, "run");
	const common = { clock, log: createLog("debug", "lane", (entry) => log.push(entry)), signal: abort.signal };
	const source = delivery === "replayable" ? "replayable" : "live";
	const lane = new LaneWriter({
		...common,
		delivery: new LaneDelivery({ ...common, source, state, sink: stream, configuration: settings.configuration ?? "1" }),
		decoder: delivery === "live" ? withoutCursor(decoder) : decoder,
		lane: state.id,
		run: delivery === "replayable" ? 0 : 1,
		batch: { eventsMax, bytesMax, delayMax },
		onRoom: () => {
			harness.rooms++;
		},
		onRewind: (reason) => rewinds.push(reason),
		onStopped: (error) => stops.push(error),
	});
	const account = new RingAccount(definition, reader, 0);
	const ring: DrainedRing = { name: "mock", reader, collectors: [{ lane, account }] };
	const writer = producer.writer(0);
	const harness: LaneHarness = {
		lane,
		stream,
		state,
		clock,
		log,
		writer,
		producer,
		account,
		rewinds,
		stops,
		rooms: 0,
		abort,
		write: (number, size = 64, kind = 0) => writeMockRecord(writer, number, size, kind),
		turn() {
			producer.flush();
			return drainRing(ring);
		},
		drain() {
			for (let records = 0; ; ) {
				const turn = harness.turn();
				records += turn.records;
				if (!turn.cut) return { ...turn, records };
			}
		},
		async deliver() {
			for (let isMore = true; isMore; ) {
				isMore = harness.drain().blocked && lane.isOpen;
				await lane.flush();
			}
		},
	};
	return harness;
}

/** A registry holds definitions whose configuration it does not know. */
function forgettingConfig({ create: _create, createDecoder: _decoder, probe: _probe, ...rest }: typeof mockCollector): CollectorDefinition {
	return {
		...rest,
		create: () => Promise.reject(new Error("Not used")),
		createDecoder: () => Promise.reject(new Error("Not used")),
		probe: () => Promise.resolve(undefined),
	};
}

/** Live sources have no cursor. */
function withoutCursor(decoder: Awaited<ReturnType<typeof mockCollector.createDecoder>>) {
	return { decode: decoder.decode.bind(decoder), cursorOffset: 0, cursorLength: 0 };
}

/** A harness whose lane is open; `position` is where its source goes on. */
export async function openedLane(settings: LaneSettings = {}): Promise<LaneHarness & { readonly position: string | undefined }> {
	const harness = await laneHarness(settings);
	return Object.assign(harness, { position: await harness.lane.open() });
}

/** Writes records `from` to `to` and drains them. */
export function feed(harness: LaneHarness, from: number, to: number, size?: number): void {
	for (let number = from; number <= to; number++) expect(harness.write(number, size)).toBe(true);
	harness.drain();
}

/** `from` to `count`. */
export function upTo(count: number, from = 1): number[] {
	return Array.from({ length: count - from + 1 }, (_, index) => from + index);
}

/** Expects the account to balance. */
export function balanced({ account, lane }: LaneHarness): void {
	expect(imbalance(account.account(lane))).toBe(0);
}
