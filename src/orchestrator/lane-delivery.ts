import { assert } from "../base/assert.ts";
import { describeError, OperatingError } from "../base/errors.ts";
import type { LaneState, SettledEvent } from "../lane/lane-state.ts";
import type { LaneMark, Manifest } from "../lane/record.ts";
import type { Clock } from "../platform/clock.ts";
import { Memory } from "../platform/ffi/memory.ts";
import type { Batch, LanePosition, SinkLane } from "../sinks/sink.ts";
import type { Log } from "../telemetry/log.ts";
import type { BatchDelivery, CutBatch, Delivered, LaneOpening, LaneReach } from "./batch-delivery.ts";
import { splitBatch } from "./split-batch.ts";

/** Milliseconds for which health speaks of a stream that went back, or of a limit that fell. The log has it for good. */
const noticeDuration = 600_000;

/**
 * Where batches come from. replayable: whoever cut them can be asked to cut again from a cursor; kept: they lie in a spool until they are delivered, and come again in
 * the same order; live: nowhere, this is their only chance.
 */
export type BatchSource = "replayable" | "kept" | "live";

/** What a delivery needs. */
export interface LaneDeliveryOptions {
	readonly source: BatchSource;
	readonly state: LaneState;
	readonly sink: SinkLane;
	/** Hash of what decides how batches are cut. */
	readonly configuration: string;
	readonly log: Log;
	readonly clock: Clock;
	readonly signal: AbortSignal;
}

/**
 * Numbers the batches of one lane, notes each before it is sent, and knows what to do where the sink says something else than "delivered": a number that
 * was ever used for other content is never used again, for the server may remember its id. One batch at a time. Data worker's thread.
 */
export class LaneDelivery implements BatchDelivery {
	readonly #options: LaneDeliveryOptions;
	/** The last number that was given to a batch. */
	#number = 0;
	#mark: LaneMark = { batch: 0, cursor: "", sequence: 0 };
	/** What was sent, or may have been, under a number that is its own until it is known what became of it: the next batch, where it is the same. */
	#unsettled: Manifest | undefined;
	/** The newest event that the sink has, by the run that cut it. */
	#newest = { run: 0, sequence: 0 };
	#settled: SettledEvent | undefined;
	#isOpen = false;
	/** Events that the sink had when the lane was opened. */
	#found = 0;
	/** Bytes that the sink proved to refuse although it allowed them. */
	#ceiling = Number.POSITIVE_INFINITY;
	#stateFailure: string | undefined;
	#notice: { readonly text: string; readonly at: number } | undefined;

	constructor(options: LaneDeliveryOptions) {
		this.#options = options;
	}

	/** Why the state cannot be written, undefined where it can. */
	get stateFailure(): string | undefined {
		return this.#stateFailure;
	}

	/** What happened lately that a person should know, undefined for nothing. */
	get notice(): string | undefined {
		const { clock } = this.#options;
		return this.#notice !== undefined && clock.monotonic() - this.#notice.at < noticeDuration ? this.#notice.text : undefined;
	}

	get reach(): LaneReach | undefined {
		return this.#isOpen ? { found: this.#found, reached: this.#published } : undefined;
	}

	/** What was sent, or may have been, and is to be sent again the same way before anything else: its number is its own. Undefined where there is nothing such. */
	get unsettled(): Manifest | undefined {
		return this.#unsettled;
	}

	/** The newest event that the sink has: the run that cut it, 0 where it does not say, and its sequence. */
	get newest(): { readonly run: number; readonly sequence: number } {
		return this.#newest;
	}

	/** The newest event of the runs before that the state knew to be delivered. */
	get settled(): SettledEvent | undefined {
		return this.#settled;
	}

	/** Most bytes of a batch that goes through. */
	bytesMax(): number {
		return Math.min(this.#ceiling, this.#options.sink.batchBytesMax());
	}

	/** Asks the sink where the lane stands, however long that takes. Rejects as SinkLane.open does. */
	async open(): Promise<LaneOpening> {
		const { state, sink, signal, source, configuration } = this.#options;
		const position = await sink.open(state.beginning, signal);
		const local = state.acknowledged;
		const before = state.pending;
		this.#settled = state.settled;
		const pending = before !== undefined && (source === "kept" || before.number > position.batch) ? before : undefined;
		this.#enter(position, local, pending);
		// Of a lane before, whose spool may be this one's now, what the stream holds tells how far that spool was emptied.
		const { finding } = position;
		const { run = 0, sequence } = finding?.kind === "adopted" ? finding : position;
		this.#newest = { run, sequence };
		this.#found = this.#published;
		this.#isOpen = true;
		if (pending === undefined) return { mark: this.#mark, forced: undefined, unconfirmed: 0 };
		if (source === "live") {
			this.#number = Math.max(this.#number, pending.number);
			const sequence = Math.max(this.#mark.sequence, pending.lastSequence);
			return { mark: { ...this.#mark, sequence }, forced: undefined, unconfirmed: pending.count };
		}
		if (source === "kept") {
			const hasArrived = pending.configuration === String(this.#newest.run) && pending.lastSequence <= this.#newest.sequence;
			if (!hasArrived) this.#unsettled = pending;
			return { mark: this.#mark, forced: undefined, unconfirmed: 0 };
		}
		if (pending.firstSequence !== this.#mark.sequence + 1) {
			// It begins elsewhere than the lane stands now, behind a stream that went back: its number was used, and is not used again.
			this.#number = Math.max(this.#number, pending.number);
			return { mark: this.#mark, forced: undefined, unconfirmed: 0 };
		}
		const isNext = pending.number === this.#number + 1 && pending.configuration === configuration;
		return { mark: this.#mark, forced: isNext ? pending : undefined, unconfirmed: 0 };
	}

	savePosition(cursor: string): void {
		this.#acknowledge({ ...this.#mark, cursor });
	}

	/** Events that the lane ever delivered: by the sink's word, or by the sequence where it does not say. */
	get #published(): number {
		return this.#options.sink.published ?? this.#mark.sequence;
	}

	/** Takes the sink's word for where the lane stands. */
	#enter(position: LanePosition, local: LaneMark, pending: Manifest | undefined): void {
		const { log, state } = this.#options;
		const { finding } = position;
		if (finding?.kind === "adopted") {
			log.warn("Another lane wrote to this place before; this one goes on behind it.", { lane: finding.lane, batch: finding.batch });
			this.#keep(() => state.adopt(finding.lane));
			this.#mark = { batch: 0, cursor: finding.cursor, sequence: finding.sequence };
		} else if (finding?.kind === "went_back") {
			// What is kept is sent again under the number that it has.
			const announced = this.#options.source === "kept" ? 0 : (pending?.number ?? 0);
			const used = Math.max(local.batch, finding.acknowledged, announced);
			// A run before that found the same, and delivered nothing since, has said it.
			if (position.cursor !== local.cursor || position.cursor === "") this.#sayWentBack(position, finding.acknowledged);
			this.#acknowledge(this.#canRewind(position) ? { ...markOf(position), batch: used } : { ...local, batch: used });
		} else {
			// The state's own cursor may be ahead of the batch, past entries that a filter left out.
			// Its number may be one that was only used, behind a stream that went back, and whose batch arrived late.
			const isSame = position.batch === local.batch && position.sequence === local.sequence && local.cursor !== "";
			this.#acknowledge(isSame ? { ...markOf(position), cursor: local.cursor } : markOf(position));
		}
		this.#number = this.#mark.batch;
	}

	/**
	 * Sees a batch delivered, however long that takes, or until `signal` fires, which is the lane's where it is left out. The memory is free again when this is settled.
	 * Rejects where a person must decide, or as the signal says.
	 */
	async send(cut: CutBatch, signal: AbortSignal = this.#options.signal): Promise<Delivered> {
		const { state, sink, source } = this.#options;
		const { count, firstSequence, lastSequence, lastCursor, run } = cut;
		// What may be sent again by a later run is told by the run that cut it; what may be cut again, by what decides how.
		const configuration = source === "replayable" ? this.#options.configuration : String(run);
		const announced = { firstSequence, lastSequence, configuration };
		for (let number = this.#claim(announced); ; ) {
			this.#number = number;
			const isSkipped = source === "kept" && number !== this.#mark.batch + 1;
			const previous = isSkipped ? { previous: this.#mark.batch } : {};
			const manifest = { ...announced, ...previous, number, firstCursor: this.#mark.cursor, lastCursor, count };
			this.#keep(() => state.append(manifest));
			let position: LanePosition;
			try {
				position = await sink.send({ ...cut, number }, signal);
			} catch (error) {
				const limit = limitOf(error);
				if (limit !== undefined) return await this.#tooLarge({ ...cut, number }, limit, signal);
				this.#unsettled = manifest;
				throw error;
			}
			if (position.finding?.kind === "went_back") {
				this.#sayWentBack(position, position.finding.acknowledged);
				if (this.#canRewind(position)) return this.#rewind({ ...markOf(position), batch: number }, "the stream went back");
				// The same bytes under the same number: where the server has stored and lost exactly these, it says so.
				continue;
			}
			assert(position.batch >= number, "A batch is delivered, or the stream went back");
			const isAnother = position.batch > number || position.sequence !== lastSequence;
			if (isAnother && this.#canRewind(position)) return this.#rewind(markOf(position), "an earlier cut of the batch had arrived");
			const isOwn = (position.run ?? run) === run;
			if (!isOwn || position.sequence < lastSequence) {
				// Sent before, and its manifest lost: this one goes on behind it, under the next number.
				this.#found = this.#published;
				this.#acknowledge({ ...this.#mark, batch: position.batch });
				number = position.batch + 1;
				if (!isOwn || position.sequence < firstSequence) continue;
				this.#number = position.batch;
				this.#newest = { run, sequence: position.sequence };
				if (source === "kept") return { kind: "rewind", mark: this.#mark, reason: "a part of the batch had arrived" };
				continue;
			}
			const sequence = Math.max(lastSequence, position.sequence);
			this.#newest = { run, sequence };
			this.#acknowledge({ batch: number, cursor: lastCursor, sequence, ...(run > 0 ? { run } : {}) });
			return { kind: "delivered", published: count, truncated: 0, tooLarge: 0 };
		}
	}

	/** The number of a batch: its own where it was announced before, else the next. A number stands for one content. */
	#claim({ firstSequence, lastSequence, configuration }: Pick<Manifest, "firstSequence" | "lastSequence" | "configuration">): number {
		const again = this.#unsettled;
		this.#unsettled = undefined;
		const isAgain = again?.firstSequence === firstSequence && again.lastSequence === lastSequence && again.configuration === configuration;
		// Unless another agent, on a copy of the state, has used it.
		if (again !== undefined && isAgain && again.number > this.#mark.batch) return again.number;
		return Math.max(this.#number, again?.number ?? 0) + 1;
	}

	/** The limit fell while the batch waited. What can be read again is cut anew; what cannot is split where its events meet. */
	async #tooLarge(batch: CutBatch & Batch, allowed: number, signal: AbortSignal): Promise<Delivered> {
		const { source, log } = this.#options;
		// Refused within the limit that the sink knows: another one is at work, and is found by halving.
		const limit = allowed < batch.length ? allowed : Math.floor(batch.length / 2);
		if (allowed >= batch.length) this.#ceiling = limit;
		this.#number = batch.number - 1;
		this.#notify(`the server took no batch of ${batch.length} bytes any more; batches are smaller now`);
		log.warn("The server takes less than before; the batch is cut anew.", { batch: batch.number, bytes: batch.length, limit });
		if (source === "replayable") return this.#rewind(this.#mark, "the server takes less than before");
		let firstSequence = batch.firstSequence;
		const { parts, tooLarge } = splitBatch(batch.memory.bytes.subarray(batch.offset, batch.offset + batch.length), limit);
		let published = 0;
		let truncated = 0;
		let dropped = tooLarge;
		for (const { text, count, through, truncated: cut } of parts) {
			const lastSequence = batch.firstSequence + through - 1;
			truncated += cut;
			// The whole batch had arrived after all.
			if (batch.run === this.#newest.run && lastSequence <= this.#newest.sequence) published += count;
			else {
				const memory = Memory.allocate(text.length);
				memory.bytes.set(text);
				// The source stands behind the whole batch only when its last part is delivered.
				const lastCursor = lastSequence === batch.lastSequence ? batch.lastCursor : this.#mark.cursor;
				const outcome = await this.send(
					{ memory, offset: 0, length: text.length, count, firstSequence, lastSequence, lastCursor, run: batch.run },
					signal,
				);
				if (outcome.kind === "rewind") return outcome;
				published += outcome.published;
				truncated += outcome.truncated;
				dropped += outcome.tooLarge;
			}
			firstSequence = lastSequence + 1;
		}
		return { kind: "delivered", published, truncated, tooLarge: dropped };
	}

	#canRewind(position: LanePosition): boolean {
		return this.#options.source === "replayable" && position.cursor !== "";
	}

	#rewind(mark: LaneMark, reason: string): Delivered {
		this.#acknowledge(mark);
		this.#number = mark.batch;
		this.#options.log.warn("The source is read again from an earlier position.", { reason, cursor: mark.cursor, sequence: mark.sequence });
		return { kind: "rewind", mark, reason };
	}

	#sayWentBack(position: LanePosition, acknowledged: number): void {
		const isRead = this.#canRewind(position);
		const then = isRead ? "what is missing is read and sent again" : "what is missing cannot be read again";
		this.#notify(`the stream holds batch ${position.batch} as the last, and had acknowledged ${acknowledged}; ${then}`);
		this.#options.log.error("The stream holds less than it acknowledged.", { acknowledged, holds: position.batch, then });
	}

	#notify(text: string): void {
		this.#notice = { text, at: this.#options.clock.monotonic() };
	}

	#acknowledge(mark: LaneMark): void {
		this.#mark = mark;
		this.#keep(() => this.#options.state.acknowledge(mark));
	}

	/** Writes to the state. Where the disk refuses the lane goes on: the stream itself knows where it stands, and health says what is wrong. */
	#keep(write: () => void): void {
		try {
			write();
			this.#stateFailure = undefined;
		} catch (error) {
			if (!(error instanceof OperatingError)) throw error;
			if (this.#stateFailure === undefined) this.#options.log.error("The state of a lane cannot be written.", { error: describeError(error) });
			this.#stateFailure = describeError(error);
		}
	}
}

function markOf({ batch, cursor, sequence, run = 0 }: LanePosition): LaneMark {
	return { batch, cursor, sequence, ...(run > 0 ? { run } : {}) };
}

/** The bytes that a sink takes, where that is what it complains of. */
function limitOf(error: unknown): number | undefined {
	if (!(error instanceof OperatingError) || error.code !== "batch_too_large") return undefined;
	const limit = error.facts["limit"];
	return typeof limit === "number" ? limit : 0;
}
