import { assert } from "../base/assert.ts";
import { describeError, OperatingError } from "../base/errors.ts";
import type { Delivery } from "../collectors/collector.ts";
import type { LaneState } from "../lane/lane-state.ts";
import type { LaneMark, Manifest } from "../lane/record.ts";
import type { Clock } from "../platform/clock.ts";
import { Memory } from "../platform/ffi/memory.ts";
import type { Batch, LanePosition, SinkLane } from "../sinks/sink.ts";
import type { Log } from "../telemetry/log.ts";
import { splitBatch } from "./split-batch.ts";

/** Milliseconds for which health speaks of a stream that went back, or of a limit that fell. The log has it for good. */
const noticeDuration = 600_000;

/** A batch that is cut, without its number. */
export type CutBatch = Omit<Batch, "number">;

/** Where a lane goes on. */
export interface LaneOpening {
	readonly mark: LaneMark;
	/** The batch that a predecessor announced and may have sent: to be cut the same way again. */
	readonly forced: Manifest | undefined;
	/** Events of a live source that the run before sent and saw no acknowledgement for. */
	readonly unconfirmed: number;
}

/** What became of a batch. */
export type Delivered =
	/** Everything in it is delivered, but for `tooLarge` events that the server takes in no form. */
	| { readonly kind: "delivered"; readonly published: number; readonly truncated: number; readonly tooLarge: number }
	/** It is to be forgotten, and its source to be read again from this mark. */
	| { readonly kind: "rewind"; readonly mark: LaneMark; readonly reason: string };

/** What a delivery needs. */
export interface LaneDeliveryOptions {
	readonly delivery: Delivery;
	readonly state: LaneState;
	/** The first one decides where the lane stands; the others show what passes. */
	readonly sinks: readonly [SinkLane, ...SinkLane[]];
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
export class LaneDelivery {
	readonly #options: LaneDeliveryOptions;
	/** The last number that was given to a batch. */
	#number = 0;
	#mark: LaneMark = { batch: 0, cursor: "", sequence: 0 };
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

	/** Events that the lane ever delivered: by the sink's word, or by the sequence where it does not say. */
	get published(): number {
		return this.#options.sinks[0].published ?? this.#mark.sequence;
	}

	/** Most bytes of a batch that goes through. */
	bytesMax(): number {
		return Math.min(this.#ceiling, this.#options.sinks[0].batchBytesMax());
	}

	/** Asks the sinks where the lane stands, however long that takes. Rejects as SinkLane.open does. */
	async open(): Promise<LaneOpening> {
		const { state, sinks, signal, delivery, configuration } = this.#options;
		const [first, ...others] = sinks;
		for (const sink of others) await sink.open(state.beginning, signal);
		const position = await first.open(state.beginning, signal);
		const local = state.acknowledged;
		const before = state.pending;
		const pending = before !== undefined && before.number > position.batch ? before : undefined;
		this.#enter(position, local, pending);
		if (pending === undefined) return { mark: this.#mark, forced: undefined, unconfirmed: 0 };
		if (delivery === "live") {
			this.#number = Math.max(this.#number, pending.number);
			const sequence = Math.max(this.#mark.sequence, pending.lastSequence);
			return { mark: { ...this.#mark, sequence }, forced: undefined, unconfirmed: pending.count };
		}
		if (pending.firstSequence !== this.#mark.sequence + 1) {
			// It begins elsewhere than the lane stands now, behind a stream that went back: its number was used, and is not used again.
			this.#number = Math.max(this.#number, pending.number);
			return { mark: this.#mark, forced: undefined, unconfirmed: 0 };
		}
		const isNext = pending.number === this.#number + 1 && pending.configuration === configuration;
		return { mark: this.#mark, forced: isNext ? pending : undefined, unconfirmed: 0 };
	}

	/** Sees a batch delivered, however long that takes. The memory is free again when this is settled. Rejects where a person must decide, or as the signal says. */
	async send(cut: CutBatch): Promise<Delivered> {
		const [, ...others] = this.#options.sinks;
		const shown = others.map((sink) => sink.send({ ...cut, number: this.#number + 1 }, this.#options.signal));
		const [outcome, ...looks] = await Promise.allSettled([this.#send(cut), ...shown]);
		for (const look of looks) {
			// Showing is not delivering: the lane goes on.
			if (look.status === "rejected") this.#options.log.debug("A batch was not shown.", { error: describeError(look.reason) });
		}
		if (outcome.status === "rejected") throw outcome.reason;
		return outcome.value;
	}

	/** Saves that the source was read up to `cursor`, where nothing on the way became an event. Only while no batch is open or on its way. */
	savePosition(cursor: string): void {
		this.#acknowledge({ ...this.#mark, cursor });
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
			const used = Math.max(local.batch, finding.acknowledged, pending?.number ?? 0);
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

	async #send(cut: CutBatch): Promise<Delivered> {
		const { state, sinks, signal, configuration } = this.#options;
		const batch: Batch = { ...cut, number: ++this.#number };
		const { number, count, lastSequence, lastCursor } = batch;
		const firstSequence = lastSequence - count + 1;
		const firstCursor = this.#mark.cursor;
		this.#keep(() => state.append({ number, firstCursor, lastCursor, count, firstSequence, lastSequence, configuration }));
		for (;;) {
			let position: LanePosition;
			try {
				position = await sinks[0].send(batch, signal);
			} catch (error) {
				const limit = limitOf(error);
				if (limit === undefined) throw error;
				return await this.#tooLarge(batch, limit);
			}
			if (position.finding?.kind === "went_back") {
				this.#sayWentBack(position, position.finding.acknowledged);
				// The same bytes under the same number: where the server has stored and lost exactly these, it says so.
				if (!this.#canRewind(position)) continue;
				return this.#rewind({ ...markOf(position), batch: number }, "the stream went back");
			}
			assert(position.batch >= number, "A batch is delivered, or the stream went back");
			if ((position.batch > number || position.sequence !== lastSequence) && this.#canRewind(position))
				return this.#rewind(markOf(position), "an earlier cut of the batch had arrived");
			this.#acknowledge({ batch: number, cursor: lastCursor, sequence: Math.max(lastSequence, position.sequence) });
			return { kind: "delivered", published: count, truncated: 0, tooLarge: 0 };
		}
	}

	/** The limit fell while the batch waited. What can be read again is cut anew; what cannot is split where its events meet. */
	async #tooLarge(batch: Batch, allowed: number): Promise<Delivered> {
		const { delivery, log } = this.#options;
		// Refused within the limit that the sink knows: another one is at work, and is found by halving.
		const limit = allowed < batch.length ? allowed : Math.floor(batch.length / 2);
		if (allowed >= batch.length) this.#ceiling = limit;
		this.#number = batch.number - 1;
		this.#notify(`the server took no batch of ${batch.length} bytes any more; batches are smaller now`);
		log.warn("The server takes less than before; the batch is cut anew.", { batch: batch.number, bytes: batch.length, limit });
		if (delivery !== "live") return this.#rewind(this.#mark, "the server takes less than before");
		const before = batch.lastSequence - batch.count;
		const { parts, tooLarge } = splitBatch(batch.memory.bytes.subarray(batch.offset, batch.offset + batch.length), limit);
		let published = 0;
		let truncated = 0;
		let dropped = tooLarge;
		for (const { text, count, through, truncated: cut } of parts) {
			const lastSequence = before + through;
			truncated += cut;
			// The whole batch had arrived after all.
			if (lastSequence <= this.#mark.sequence) published += count;
			else {
				const memory = Memory.allocate(text.length);
				memory.bytes.set(text);
				const outcome = await this.#send({ memory, offset: 0, length: text.length, count, lastSequence, lastCursor: "" });
				assert(outcome.kind === "delivered", "A live lane never goes back");
				published += outcome.published;
				truncated += outcome.truncated;
				dropped += outcome.tooLarge;
			}
		}
		return { kind: "delivered", published, truncated, tooLarge: dropped };
	}

	#canRewind(position: LanePosition): boolean {
		return this.#options.delivery !== "live" && position.cursor !== "";
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

function markOf({ batch, cursor, sequence }: LanePosition): LaneMark {
	return { batch, cursor, sequence };
}

/** The bytes that a sink takes, where that is what it complains of. */
function limitOf(error: unknown): number | undefined {
	if (!(error instanceof OperatingError) || error.code !== "batch_too_large") return undefined;
	const limit = error.facts["limit"];
	return typeof limit === "number" ? limit : 0;
}
