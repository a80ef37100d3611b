import { describeError, OperatingError } from "../base/errors.ts";
import type { LaneState } from "../lane/lane-state.ts";
import type { LaneMark, Manifest } from "../lane/record.ts";
import { type Clock, resolvesWithin } from "../platform/clock.ts";
import { minus, type SpoolAccount } from "../spool/account.ts";
import type { AppendStatus } from "../spool/record.ts";
import type { SpoolStore } from "../spool/store.ts";
import type { Health } from "../telemetry/health.ts";
import type { Log } from "../telemetry/log.ts";
import type { BatchDelivery, CutBatch, Delivered, LaneOpening, LaneReach } from "./batch-delivery.ts";
import { holds, type KeptBatch, KeptCutter, keptOf } from "./kept-batch.ts";
import { KeptProgress } from "./kept-progress.ts";
import type { LaneDelivery } from "./lane-delivery.ts";

/** Milliseconds that a batch may wait for its acknowledgement before it goes to disk, and everything behind it. */
const patience = 2000;
/** Milliseconds that a lane waits for the word of its sink before it opens without; what its source gives meanwhile waits in the ring. */
const openPatience = 1000;
/** Milliseconds without a batch delivered after which the end of the agent does not wait for the rest, and those between two looks. */
const endPatience = 1000;
const endPoll = 20;
/** Milliseconds between two attempts at a disk that refuses. */
const diskRetry = 1000;
/** Milliseconds for which health speaks of a disk that refused a batch, though nothing needs it any more. */
const refusalNotice = 60_000;
/** Milliseconds between two looks at what is due and what is too old. */
const tickInterval = 1000;

/** Why a direct send ends early. Compared by identity. */
const late = new OperatingError("spool_late", "The sink did not answer in time");

/** What a spooled delivery needs. */
export interface SpooledDeliveryOptions {
	/** Where batches go, directly or from disk. Its source is "kept". */
	readonly delivery: LaneDelivery;
	readonly state: LaneState;
	readonly spool: SpoolStore;
	/** always: a batch is on disk before its source hears that it is safe. when-away: only while the sink does not answer. */
	readonly mode: "always" | "when-away";
	/** This run (base/run.ts). */
	readonly run: number;
	readonly clock: Clock;
	readonly log: Log;
	readonly signal: AbortSignal;
}

/** The account of a spool, with what became of the rest. */
export interface SpooledAccount extends SpoolAccount {
	/** Events of acknowledged records that the sink takes in no form. */
	readonly tooLarge: number;
	/** Events of acknowledged records that were cut to fit. */
	readonly truncated: number;
	/** Events that a run before sent, did not see acknowledged and did not bring to disk. */
	readonly unconfirmed: number;
}

/**
 * A lane of events that cannot be read again, with a disk beside its sink, which may be away, from the start on as well: what the sink does not take within two seconds
 * goes to disk, and everything behind it; what is on disk is sent first, in order, and once. To its writer a batch on disk is delivered; the account tells the two
 * apart. Batches get their numbers when they are sent, so that one that has become too large can be sent in parts. The thread of the sink.
 */
export class SpooledDelivery implements BatchDelivery {
	readonly #options: SpooledDeliveryOptions;
	readonly #delivery: LaneDelivery;
	readonly #spool: SpoolStore;
	/** Something is on disk, or was when it was last looked at: nothing may overtake it. */
	#isBehind: boolean;
	#isOpen = false;
	/** Where the lane stood by its sink when that opened it. */
	#mark: LaneMark | undefined;
	#refusedAt = Number.NEGATIVE_INFINITY;
	#opening: Promise<void> | undefined;
	#draining: Promise<void> | undefined;
	#failure: unknown;
	#tooLarge = 0;
	#truncated = 0;
	#unconfirmed = 0;
	/** What a run before announced, until it is known whether it is on disk. */
	#announced: Manifest | undefined;
	readonly #progress: KeptProgress;
	/** When the last record was delivered, or the first one stored behind an empty spool. */
	#progressAt = 0;
	#tickedAt = 0;
	#isTicking = false;
	readonly #cutter = new KeptCutter();

	constructor(options: SpooledDeliveryOptions) {
		this.#options = options;
		this.#delivery = options.delivery;
		this.#spool = options.spool;
		this.#progress = new KeptProgress(options);
		this.#isBehind = options.mode === "always" || options.spool.account.left.records > 0;
	}

	get reach(): LaneReach | undefined {
		return this.#delivery.reach;
	}

	get stateFailure(): string | undefined {
		return this.#delivery.stateFailure;
	}

	get notice(): string | undefined {
		return this.#delivery.notice;
	}

	bytesMax(): number {
		return this.#delivery.bytesMax();
	}

	/** By the sink's word where it comes in time, else by what is known here; so too where the signal fires, for what is in the ring is to reach the disk. */
	async open(): Promise<LaneOpening> {
		const { clock, log, signal, state } = this.#options;
		this.#opening = this.#openSink();
		const isInTime = await resolvesWithin(clock, this.#opening, openPatience);
		if (this.#failure !== undefined) throw this.#failure;
		if (!isInTime && !signal.aborted) log.warn("NATS has not said where the lane stands; events go to the spool.", {});
		const { newest, unsettled = state.pending } = this.#delivery;
		const { account, end } = this.#spool;
		const mark = this.#mark ?? state.acknowledged;
		const sequence = Math.max(mark.sequence, unsettled?.lastSequence ?? 0, end.sequence);
		// A loss of power may have taken what was stored last, and not what was delivered of it.
		const isAhead = account.left.records === 0 || (newest.run === end.run && newest.sequence >= end.sequence);
		return { mark: { batch: mark.batch, cursor: isAhead ? mark.cursor : end.cursor, sequence }, forced: undefined, unconfirmed: 0 };
	}

	async send(cut: CutBatch): Promise<Delivered> {
		const { mode, signal, clock } = this.#options;
		for (let isTooLarge = false; ; ) {
			if (this.#failure !== undefined) throw this.#failure;
			const isFirst = mode === "when-away" ? !this.#isBehind : isTooLarge && this.#spool.account.left.records === 0;
			if (isFirst) {
				const outcome = await this.#sendDirectly(cut);
				if (outcome !== undefined) return outcome;
			}
			const status = await this.#store(cut);
			if (status === "stored") return { kind: "delivered", published: cut.count, truncated: 0, tooLarge: 0 };
			isTooLarge = status === "too_large";
			signal.throwIfAborted();
			await clock.sleep(diskRetry, signal);
			// Where nothing is left on disk meanwhile, it goes directly again.
			this.#drain();
		}
	}

	/** Only while nothing is on its way or on disk: a position that is lost means that records which became no event are read again. */
	savePosition(cursor: string): void {
		if (this.#isOpen && this.#draining === undefined && this.#spool.account.left.records === 0) this.#delivery.savePosition(cursor);
	}

	/** What became of everything that was on disk. What a run before had delivered, and ended before it could say so there, is not this one's. */
	account(): SpooledAccount {
		const { account } = this.#spool;
		return {
			...account,
			found: minus(account.found, this.#progress.beforehand),
			acknowledged: minus(account.acknowledged, this.#progress.beforehand),
			tooLarge: this.#tooLarge,
			truncated: this.#truncated,
			unconfirmed: this.#unconfirmed,
		};
	}

	/** What a person should know, undefined for nothing. */
	health(): Health | undefined {
		if (this.#failure !== undefined) return { status: "unhealthy", message: describeError(this.#failure) };
		const { mode, clock } = this.#options;
		const { fault, account } = this.#spool;
		const isNeeded = this.#isBehind || clock.monotonic() - this.#refusedAt < refusalNotice;
		if (fault !== undefined && isNeeded) return { status: "degraded", message: fault };
		// What goes to disk first is always there for a moment.
		if (account.left.records === 0 || (mode === "always" && clock.monotonic() - this.#progressAt < patience)) return undefined;
		const { left, bytes } = account;
		return { status: "degraded", message: `${left.events} events wait in the spool (${(bytes / 2 ** 20).toFixed(1)} MiB) until NATS takes them` };
	}

	/** What comes up with time. Call it now and then; it does something once a second. */
	tick(): void {
		const { clock } = this.#options;
		const now = clock.monotonic();
		if (!this.#isBehind || this.#isTicking || now - this.#tickedAt < tickInterval) return;
		this.#tickedAt = now;
		this.#isTicking = true;
		void this.#spool.tick(clock.now()).finally(() => {
			this.#isTicking = false;
		});
	}

	/** Waits until nothing is on disk any more, as long as the sink takes it: the node may be going for good. Never rejects. */
	async flush(): Promise<void> {
		const { clock } = this.#options;
		const begun = clock.monotonic();
		while (this.#isOpen && this.#failure === undefined && this.#spool.account.left.records > 0) {
			if (clock.monotonic() - Math.max(begun, this.#progressAt) >= endPatience) return;
			await clock.sleep(endPoll);
		}
	}

	/** Closes the spool, when the signal has fired and every send is settled. What is left is sent by the next run. Safe twice. */
	async close(): Promise<void> {
		this.#failure ??= new OperatingError("spool_closed", "The agent has ended");
		await this.#opening;
		await this.#draining;
		await this.#spool.close();
	}

	/** Never rejects. */
	async #openSink(): Promise<void> {
		try {
			this.#mark = (await this.#delivery.open()).mark;
			await this.#progress.find();
			this.#announced = this.#delivery.unsettled;
			// Decided here, so that the account that is kept when the lane is open has it.
			if (this.#announced !== undefined && !(await this.#isOnDisk(this.#announced))) this.#giveUpAnnounced();
			this.#isOpen = true;
			if (this.#isBehind) this.#drain();
		} catch (error) {
			if (!this.#options.signal.aborted) this.#failure = error;
		}
	}

	/** True where the batch of a manifest is in the oldest record. What the disk does not say now is seen when it is sent. */
	async #isOnDisk(manifest: Manifest): Promise<boolean> {
		if (this.#spool.account.left.records === 0) return false;
		try {
			const head = await this.#spool.head(this.#options.clock.now());
			return head !== undefined && holds(head, manifest);
		} catch (error) {
			if (error instanceof OperatingError) return true;
			throw error;
		}
	}

	/** Undefined where the sink did not answer in time, or the signal fired: nobody uses the memory of the batch any more, which may or may not have arrived. */
	async #sendDirectly(cut: CutBatch): Promise<Delivered | undefined> {
		const { clock, signal, log } = this.#options;
		if (signal.aborted) return undefined;
		const abort = new AbortController();
		const answered = new AbortController();
		const stop = () => abort.abort(signal.reason);
		signal.addEventListener("abort", stop, { once: true });
		const patient = clock.sleep(patience, answered.signal).then(
			() => abort.abort(late),
			() => undefined, // The answer came first.
		);
		try {
			if (!this.#isOpen) await Promise.race([this.#opening, patient]);
			if (this.#failure !== undefined) throw this.#failure;
			if (!this.#isOpen || (this.#isBehind && this.#options.mode === "when-away")) return undefined;
			const kept = keptOf(cut);
			const { truncated, tooLarge } = await this.#sendRest(kept, this.#progress.reached(kept), abort.signal);
			return { kind: "delivered", published: cut.count - tooLarge, truncated, tooLarge };
		} catch (error) {
			if (!abort.signal.aborted || error !== abort.signal.reason) throw error;
			if (error === late) log.warn("NATS takes nothing; events go to the spool.", { sequence: cut.lastSequence });
			return undefined;
		} finally {
			answered.abort(late);
			signal.removeEventListener("abort", stop);
		}
	}

	/** What a run before announced is neither in the stream nor on disk. */
	#giveUpAnnounced(): void {
		this.#unconfirmed += this.#announced?.count ?? 0;
		this.#announced = undefined;
	}

	async #store({ memory, offset, length, count, firstSequence, lastSequence, lastCursor, run }: CutBatch): Promise<AppendStatus> {
		if (this.#spool.account.left.records === 0) this.#progressAt = this.#options.clock.monotonic();
		const outcome = await this.#spool.append({
			number: this.#spool.end.number + 1,
			run,
			count,
			firstSequence,
			lastSequence,
			lastCursor,
			time: this.#options.clock.now(),
			payload: memory.bytes.subarray(offset, offset + length),
		});
		if (outcome === "stored") {
			this.#isBehind = true;
			this.#drain();
		} else this.#refusedAt = this.#options.clock.monotonic();
		return outcome;
	}

	#drain(): void {
		if (!this.#isOpen || this.#options.signal.aborted || this.#failure !== undefined) return;
		this.#draining ??= this.#sendStored().finally(() => {
			this.#draining = undefined;
			this.#cutter.release();
			// Something was stored while the last look found nothing.
			if (this.#spool.account.left.records > 0) this.#drain();
		});
	}

	/** Sends what is on disk until nothing is left, the signal fires, or a person must decide. Never rejects. */
	async #sendStored(): Promise<void> {
		const { clock, log, mode, signal } = this.#options;
		while (!signal.aborted) {
			try {
				const record = await this.#spool.head(clock.now());
				if (record === undefined) return await this.#empty(mode === "when-away");
				const reached = this.#progress.enter(record);
				const { truncated, tooLarge } = await this.#sendRest(record, reached, signal);
				this.#truncated += truncated;
				this.#tooLarge += tooLarge;
				await this.#spool.acknowledge(record.number);
				this.#progressAt = clock.monotonic();
			} catch (error) {
				if (signal.aborted) return;
				if (!(error instanceof OperatingError) || error.code !== "spool_read") {
					this.#failure = error;
					return;
				}
				log.error("The spool cannot be read.", { error: describeError(error) });
				await clock.sleep(diskRetry, signal).catch(() => undefined);
			}
		}
	}

	/** Nothing is left: no loss of power may bring back what is delivered, once newer events have gone past it. */
	async #empty(isDirectNext: boolean): Promise<void> {
		if (!isDirectNext) return;
		await this.#spool.rest();
		if (this.#spool.account.left.records > 0) return;
		this.#isBehind = false;
		this.#options.log.info("The spool is empty; events go to NATS directly again.");
	}

	/** Sends what the sink does not have of a batch behind `reached`, cut as it was cut when it may have been sent before. */
	async #sendRest(kept: KeptBatch, reached: number, signal: AbortSignal): Promise<{ truncated: number; tooLarge: number }> {
		const { lastSequence, lastCursor } = kept;
		const sum = { truncated: 0, tooLarge: 0 };
		for (let next = reached + 1; next <= lastSequence; ) {
			const { unsettled } = this.#delivery;
			const isAgain = unsettled !== undefined && unsettled.firstSequence >= next && holds(kept, unsettled);
			if (isAgain) this.#announced = undefined;
			else this.#giveUpAnnounced();
			// What stands before it was delivered before it was announced.
			const range = isAgain
				? { first: unsettled.firstSequence, last: unsettled.lastSequence, cursor: unsettled.lastCursor }
				: { first: next, last: lastSequence, cursor: lastCursor };
			const outcome = await this.#delivery.send(this.#cutter.cut(kept, range), signal);
			// A part of it had arrived before, and nobody knew.
			if (outcome.kind === "rewind") next = Math.max(next, this.#progress.reached(kept) + 1);
			else {
				sum.truncated += outcome.truncated;
				sum.tooLarge += outcome.tooLarge;
				next = range.last + 1;
			}
		}
		return sum;
	}
}
