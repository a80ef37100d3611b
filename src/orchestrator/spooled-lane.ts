import { describeError, OperatingError } from "../base/errors.ts";
import type { Clock } from "../platform/clock.ts";
import { Memory } from "../platform/ffi/memory.ts";
import { type Batch, batchHeadroom, batchTailroom, type LanePosition, type LaneStart, type SinkLane } from "../sinks/sink.ts";
import { minus, noAmount, plus, type SpoolAccount } from "../spool/account.ts";
import type { SpoolRecord } from "../spool/record.ts";
import type { Spool } from "../spool/spool.ts";
import type { Health } from "../telemetry/health.ts";
import type { Log } from "../telemetry/log.ts";

/** Milliseconds that a batch may wait for its acknowledgement before it goes to disk, and everything behind it. */
const patience = 2000;
/** Milliseconds between two attempts at a disk that refuses. */
const diskRetry = 1000;
/** Milliseconds between two looks at what is due and what is too old. */
const tickInterval = 1000;

/** Why a direct send ends early. Compared by identity. */
const late = new OperatingError("spool_late", "The sink did not answer in time");

/** What a spooled lane needs. */
export interface SpooledLaneOptions {
	/** Where the batches go. */
	readonly sink: SinkLane;
	readonly spool: Spool;
	readonly clock: Clock;
	readonly log: Log;
}

/** The account of a spool, with what no message could carry when its turn came. */
export interface SpooledAccount extends SpoolAccount {
	/** Events of acknowledged records that the sink takes in no form. */
	readonly tooLarge: number;
}

/**
 * A lane of events that cannot be read again, in front of a sink that may be away: what the sink does not take within two seconds goes to disk, under the number that it
 * has, and everything behind it as well; what is on disk is sent first, in order, and once. To its writer a batch on disk is delivered; the account tells the two apart.
 * The thread of the sink.
 */
export class SpooledLane implements SinkLane {
	readonly #sink: SinkLane;
	readonly #spool: Spool;
	readonly #clock: Clock;
	readonly #log: Log;
	/** Something is on disk, or was when it was last looked at: nothing may overtake it. */
	#isBehind: boolean;
	#draining: Promise<void> | undefined;
	#failure: unknown;
	#tooLarge = 0;
	/** Number of the last batch that the sink had when the lane was opened, and what of it still stood on disk. */
	#known = 0;
	#beforehand = noAmount;
	#tickedAt = 0;
	#memory: Memory | undefined;

	constructor({ sink, spool, clock, log }: SpooledLaneOptions) {
		this.#sink = sink;
		this.#spool = spool;
		this.#clock = clock;
		this.#log = log;
		this.#isBehind = spool.account.left.records > 0;
	}

	async open(local: LaneStart, signal: AbortSignal): Promise<LanePosition> {
		// What the lane's state calls delivered may be on disk: then the stream alone says how far it has come.
		const start = this.#isBehind ? { ...local, batch: 0, cursor: "", sequence: 0 } : local;
		const position = await this.#sink.open(start, signal);
		this.#known = position.batch;
		if (this.#isBehind) this.#drain(signal);
		const batch = Math.max(position.batch, this.#spool.lastNumber);
		return { ...position, batch, sequence: Math.max(position.sequence, batch === position.batch ? 0 : local.sequence, this.#spool.lastSequence) };
	}

	get published(): number | undefined {
		return this.#sink.published;
	}

	batchBytesMax(): number {
		return this.#sink.batchBytesMax();
	}

	async send(batch: Batch, signal: AbortSignal): Promise<LanePosition> {
		for (;;) {
			if (this.#failure !== undefined) throw this.#failure;
			if (!this.#isBehind) {
				const position = await this.#sendDirectly(batch, signal);
				if (position !== undefined) return position;
			}
			if (this.#store(batch)) {
				if (!signal.aborted) this.#drain(signal);
				return { batch: batch.number, cursor: batch.lastCursor, sequence: batch.lastSequence };
			}
			if (signal.aborted) throw signal.reason;
			await this.#clock.sleep(diskRetry, signal);
		}
	}

	/** What became of everything that was on disk. What a run before had delivered, and ended before it could say so there, is not this one's. */
	account(): SpooledAccount {
		const { account } = this.#spool;
		const found = minus(account.found, this.#beforehand);
		const acknowledged = minus(account.acknowledged, this.#beforehand);
		return { ...account, found, acknowledged, tooLarge: this.#tooLarge };
	}

	/** What a person should know, undefined for nothing. */
	health(): Health | undefined {
		const { fault } = this.#spool;
		if (fault !== undefined) return { status: "degraded", message: describeError(fault) };
		if (!this.#isBehind) return undefined;
		const { left, bytes } = this.#spool.account;
		if (left.records === 0) return undefined;
		return { status: "degraded", message: `${left.events} events wait in the spool (${(bytes / 2 ** 20).toFixed(1)} MiB) until NATS takes them` };
	}

	/** What comes up with time. Call it now and then; it does something once a second. */
	tick(): void {
		const now = this.#clock.monotonic();
		if (!this.#isBehind || now - this.#tickedAt < tickInterval) return;
		this.#tickedAt = now;
		this.#spool.tick(this.#clock.now());
	}

	/** Closes the spool, when its signal has fired and every send is settled. What is left is sent by the next run. Safe twice. */
	async close(): Promise<void> {
		await this.#draining;
		this.#spool[Symbol.dispose]();
	}

	/** Undefined where the sink did not answer in time, or the signal fired: nobody uses the memory of the batch any more, which may or may not have arrived. */
	async #sendDirectly(batch: Batch, signal: AbortSignal): Promise<LanePosition | undefined> {
		const abort = new AbortController();
		const answered = new AbortController();
		const stop = () => abort.abort(signal.reason);
		if (signal.aborted) return undefined;
		signal.addEventListener("abort", stop, { once: true });
		this.#clock.sleep(patience, answered.signal).then(
			() => abort.abort(late),
			() => undefined, // The answer came first.
		);
		try {
			return await this.#sink.send(batch, abort.signal);
		} catch (error) {
			if (!abort.signal.aborted || error !== abort.signal.reason) throw error;
			if (error === late) this.#log.warn("NATS takes nothing; events go to the spool.", { batch: batch.number });
			return undefined;
		} finally {
			answered.abort(late);
			signal.removeEventListener("abort", stop);
		}
	}

	#store({ number, memory, offset, length, count, lastSequence, lastCursor }: Batch): boolean {
		const outcome = this.#spool.append({
			number,
			count,
			firstSequence: lastSequence - count + 1,
			lastSequence,
			lastCursor,
			time: this.#clock.now(),
			payload: memory.bytes.subarray(offset, offset + length),
		});
		if (outcome.status === "stored") this.#isBehind = true;
		return outcome.status === "stored";
	}

	#drain(signal: AbortSignal): void {
		this.#draining ??= this.#sendStored(signal).finally(() => {
			this.#draining = undefined;
			this.#memory = undefined;
		});
	}

	async #sendStored(signal: AbortSignal): Promise<void> {
		while (!signal.aborted) {
			let record: SpoolRecord | undefined;
			try {
				record = this.#spool.head(this.#clock.now());
			} catch (error) {
				this.#log.error("The spool cannot be read.", { error: describeError(error) });
				await this.#clock.sleep(diskRetry, signal).catch(() => undefined);
				continue;
			}
			if (record === undefined) {
				this.#isBehind = false;
				this.#log.info("The spool is empty; events go to NATS directly again.");
				return;
			}
			if (record.number <= this.#known) {
				this.#beforehand = plus(this.#beforehand, { records: 1, events: record.count });
				this.#spool.acknowledge(record.number);
				continue;
			}
			try {
				const position = await this.#sink.send(this.#load(record), signal);
				// The stream went back: the same bytes under the same number again.
				if (position.batch >= record.number) this.#spool.acknowledge(record.number);
			} catch (error) {
				if (signal.aborted) return;
				if (!(error instanceof OperatingError) || error.code !== "batch_too_large") {
					this.#failure = error;
					return;
				}
				// Its number is taken by what stands behind it, so that it cannot become two.
				this.#log.error("The server takes less than before; a batch in the spool is too large.", { batch: record.number, events: record.count });
				this.#tooLarge += record.count;
				this.#spool.acknowledge(record.number);
			}
		}
	}

	/** The record as a batch, in a memory of its own. */
	#load({ number, count, lastSequence, lastCursor, payload }: SpoolRecord): Batch {
		const needed = batchHeadroom + payload.length + batchTailroom;
		if (this.#memory === undefined || this.#memory.length < needed) this.#memory = Memory.allocate(needed);
		const memory = this.#memory;
		memory.bytes.set(payload, batchHeadroom);
		return { number, memory, offset: batchHeadroom, length: payload.length, count, lastSequence, lastCursor };
	}
}
