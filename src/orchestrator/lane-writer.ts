import { assert } from "../base/assert.ts";
import { describeError, OperatingError } from "../base/errors.ts";
import type { Decoder, Delivery } from "../collectors/collector.ts";
import { EventWriter } from "../event/event-writer.ts";
import type { LaneState } from "../lane/lane-state.ts";
import type { LaneMark, Manifest } from "../lane/record.ts";
import type { Clock } from "../platform/clock.ts";
import { Memory } from "../platform/ffi/memory.ts";
import type { RingReader } from "../ring/reader.ts";
import type { Batch, LanePosition, SinkLane } from "../sinks/sink.ts";
import type { Log } from "../telemetry/log.ts";
import { OpenBatch } from "./open-batch.ts";
import { fitEvent } from "./oversize.ts";

/** Longest cursor that is remembered; see the collectors' own limits. */
const cursorBytesMax = 512;
/** Largest event that is looked at before it is cut. Beyond it the event is dropped, counted as `too_large`. */
const oversizeBytesMax = 16 * 1024 * 1024;

/** Milliseconds that a batch of a predecessor may take to fill again. */
const forcedDelayMax = 5000;

/** What became of a record that a lane was offered. */
export type Appended =
	/** Part of the open batch. */
	| "appended"
	/** No event: a position only. */
	| "position"
	/** Cannot be taken in any form; counted. */
	| "dropped"
	/** No room until a batch is acknowledged: offer it again then. */
	| "blocked";

/** Where a lane's batches go and how they are cut. */
export interface LaneWriterOptions {
	readonly delivery: Delivery;
	readonly decoder: Decoder;
	readonly state: LaneState;
	/** The first one decides where the lane stands. */
	readonly sinks: readonly [SinkLane, ...SinkLane[]];
	readonly batch: { readonly eventsMax: number; readonly bytesMax: number; readonly delayMax: number };
	/** Hash of what decides how batches are cut. */
	readonly configuration: string;
	readonly log: Log;
	readonly clock: Clock;
	readonly signal: AbortSignal;
	/** Called when a blocked lane has room again. */
	readonly onRoom: () => void;
	/** Called once with the error where a person must decide. The lane takes nothing more. */
	readonly onStopped: (error: unknown) => void;
}

/** Counts of one lane since start. */
export interface LaneCounts {
	/** Events put into batches. */
	appended: number;
	/** Events acknowledged. */
	published: number;
	/** Events that were cut to fit; among the appended ones. */
	truncated: number;
	/** Events larger than {@link oversizeBytesMax}. */
	tooLarge: number;
}

/**
 * Cuts the events of one lane into numbered batches and sees each delivered before the next is sent; meanwhile the next one fills. Two buffers,
 * no queue: what does not fit waits in the ring. Data worker's thread.
 */
export class LaneWriter {
	readonly counts: LaneCounts = { appended: 0, published: 0, truncated: 0, tooLarge: 0 };
	readonly #options: LaneWriterOptions;
	readonly #event = new EventWriter(Memory.allocate(8));
	readonly #cursor = Memory.allocate(cursorBytesMax);
	#cursorLength = 0;
	#open: OpenBatch;
	#spare: OpenBatch | undefined;
	#sending: Promise<void> | undefined;
	#isOpen = false;
	#stateFailure: string | undefined;
	#number = 0;
	#sequence = 0;
	#forced: Manifest | undefined;
	#stopped = false;
	#openedAt = 0;

	constructor(options: LaneWriterOptions) {
		this.#options = options;
		this.#open = new OpenBatch(options.batch.bytesMax);
		this.#spare = new OpenBatch(options.batch.bytesMax);
	}

	/** Asks the sinks where the lane stands. Resolves with the cursor to read on from, undefined where nothing was ever delivered. */
	async open(): Promise<string | undefined> {
		const { state, sinks, signal, delivery } = this.#options;
		const [first, ...others] = sinks;
		let position: LanePosition;
		try {
			for (const sink of others) await sink.open(state.beginning, signal);
			position = await first.open(state.beginning, signal);
		} catch (error) {
			this.#stop(error);
			throw error;
		}
		const pending = state.pending;
		const mark = this.#note(position);
		this.#number = mark.batch;
		this.#sequence = mark.sequence;
		this.#isOpen = true;
		if (pending !== undefined && pending.number > mark.batch) this.#takeOver(pending, delivery);
		return mark.cursor === "" ? undefined : mark.cursor;
	}

	/** Takes the sink's word for where the lane stands into the state, and returns what to go on from. */
	#note(position: LanePosition): LaneMark {
		const { state, log } = this.#options;
		const { finding } = position;
		const local = state.acknowledged;
		if (finding?.kind === "adopted") {
			log.warn("Another lane wrote to this place before; this one goes on behind it.", { lane: finding.lane, batch: finding.batch });
			this.#keep(() => state.adopt(finding.lane));
			return { batch: 0, cursor: finding.cursor, sequence: finding.sequence };
		}
		if (finding?.kind === "went_back") {
			log.error("The stream holds less than it acknowledged; what can be read again is sent again.", {
				acknowledged: finding.acknowledged,
				holds: position.batch,
			});
		}
		// The state's own cursor may be ahead of the batch, past entries that a filter left out.
		const { batch, sequence } = position;
		const cursor = batch === local.batch && local.cursor !== "" ? local.cursor : position.cursor;
		const mark: LaneMark = { batch, sequence, cursor };
		this.#keep(() => state.acknowledge(mark));
		return mark;
	}

	/** Writes to the state. Where the disk refuses the lane goes on: the stream itself knows where it stands, and health says what is wrong. */
	#keep(write: () => void): void {
		try {
			write();
			this.#stateFailure = undefined;
		} catch (error) {
			if (this.#stateFailure === undefined) this.#options.log.error("The state of a lane cannot be written.", { error: describeError(error) });
			this.#stateFailure = describeError(error);
		}
	}

	/** Why the state cannot be written, undefined where it can. */
	get stateFailure(): string | undefined {
		return this.#stateFailure;
	}

	/** True once `open` resolved. */
	get isOpen(): boolean {
		return this.#isOpen && !this.#stopped;
	}

	/** Events in batches that are not acknowledged. */
	get inFlight(): number {
		return this.counts.appended - this.counts.published;
	}

	/** Cursor behind the last record that was taken, undefined where there is none. */
	get cursor(): string | undefined {
		if (this.#cursorLength === 0) return undefined;
		return String.fromCharCode(...this.#cursor.bytes.subarray(0, this.#cursorLength));
	}

	/** Decodes the leased record into the open batch. */
	append(record: RingReader): Appended {
		if (!this.isOpen) return "blocked";
		if (this.#open.count >= this.#countMax() && !this.#cut()) return "blocked";
		for (;;) {
			const room = this.#room();
			this.#open.attach(this.#event, room);
			this.#event.sequence = this.#sequence + 1;
			const decoded = this.#options.decoder.decode(record, this.#event);
			if (decoded === "event") {
				this.#taken(record);
				return "appended";
			}
			if (decoded === "none") {
				this.#rememberCursor(record);
				return "position";
			}
			if (this.#open.count > 0) {
				if (!this.#cut()) return "blocked";
				continue;
			}
			return this.#oversize(record, room);
		}
	}

	/** Sends the open batch where it is due. Call it at least every `delayMax`. */
	tick(): void {
		if (this.#open.count === 0) return;
		// A predecessor's batch waits for its last record; if that never comes, the number goes to what there is.
		const wait = this.#forced === undefined || this.#open.count >= this.#forced.count ? this.#options.batch.delayMax : forcedDelayMax;
		if (this.#options.clock.monotonic() - this.#openedAt >= wait) this.#cut();
	}

	/** Sends what is open and resolves when everything is acknowledged, or when the lane stopped. */
	async flush(): Promise<void> {
		this.#forced = undefined;
		while (!this.#stopped && (this.#open.count > 0 || this.#sending !== undefined)) {
			if (this.#sending === undefined) this.#cut();
			await this.#sending;
		}
	}

	/** The batch that a predecessor announced and may have sent: the same again for sources that can be read again, else its number is skipped. */
	#takeOver(pending: Manifest, delivery: Delivery): void {
		if (delivery === "live") {
			this.#number = pending.number;
			this.#sequence = Math.max(this.#sequence, pending.lastSequence);
			return;
		}
		if (pending.number === this.#number + 1 && pending.configuration === this.#options.configuration) this.#forced = pending;
	}

	#countMax(): number {
		return this.#forced?.count ?? this.#options.batch.eventsMax;
	}

	#room(): number {
		return Math.min(this.#options.batch.bytesMax, this.#options.sinks[0].batchBytesMax());
	}

	#taken(record: RingReader): void {
		if (this.#open.count === 0) this.#openedAt = this.#options.clock.monotonic();
		this.#open.taken(this.#event);
		this.#sequence++;
		this.counts.appended++;
		this.#rememberCursor(record);
	}

	#rememberCursor(record: RingReader): void {
		const { cursorOffset, cursorLength } = this.#options.decoder;
		if (cursorLength === 0) return;
		assert(cursorLength <= cursorBytesMax, "A cursor fits");
		this.#cursor.copy(0, record.memory, cursorOffset, cursorLength);
		this.#cursorLength = cursorLength;
	}

	/** An event that fits no batch is cut: its longest texts first. */
	#oversize(record: RingReader, room: number): Appended {
		for (let size = 2 * room; size <= oversizeBytesMax; size *= 2) {
			const memory = Memory.allocate(size);
			this.#event.attach(memory, 0, size);
			this.#event.sequence = this.#sequence + 1;
			if (this.#options.decoder.decode(record, this.#event) !== "event") continue;
			const text = fitEvent(memory.bytes.subarray(0, this.#event.position), room - 2);
			if (text === undefined) break;
			this.#open.attach(this.#event, room);
			this.#open.put(this.#event, text);
			this.counts.truncated++;
			this.#taken(record);
			return "appended";
		}
		this.counts.tooLarge++;
		this.#rememberCursor(record);
		return "dropped";
	}

	/** Hands the open batch to the sinks; false where the one before is still on its way and both buffers are taken. */
	#cut(): boolean {
		const spare = this.#spare;
		if (this.#sending !== undefined || spare === undefined) return false;
		const full = this.#open;
		this.#open = spare;
		this.#spare = undefined;
		this.#forced = undefined;
		this.#sending = this.#deliver(full);
		return true;
	}

	async #deliver(full: OpenBatch): Promise<void> {
		const { state, sinks, signal } = this.#options;
		const batch: Batch = {
			number: ++this.#number,
			memory: full.memory,
			length: full.close(),
			count: full.count,
			lastSequence: this.#sequence,
			lastCursor: this.cursor ?? "",
		};
		const manifest: Manifest = {
			number: batch.number,
			firstCursor: state.acknowledged.cursor,
			lastCursor: batch.lastCursor,
			count: batch.count,
			firstSequence: batch.lastSequence - batch.count + 1,
			lastSequence: batch.lastSequence,
			configuration: this.#options.configuration,
		};
		try {
			this.#keep(() => state.append(manifest));
			const [position] = await Promise.all(sinks.map((sink) => sink.send(batch, signal)));
			if (position === undefined || position.batch !== batch.number) {
				throw new OperatingError(
					"stream_went_back",
					`The stream holds less than it acknowledged: batch ${position?.batch} instead of ${batch.number}`,
					{
						hint: "start the agent again: it then sends again what can be read again",
					},
				);
			}
			this.#keep(() => state.acknowledge({ batch: batch.number, cursor: batch.lastCursor, sequence: batch.lastSequence }));
		} catch (error) {
			this.#stop(error);
			return;
		} finally {
			this.#sending = undefined;
		}
		this.counts.published += batch.count;
		full.reset();
		this.#spare = full;
		this.#options.onRoom();
	}

	#stop(error: unknown): void {
		if (this.#stopped) return;
		this.#stopped = true;
		if (!this.#options.signal.aborted) this.#options.onStopped(error);
	}
}
