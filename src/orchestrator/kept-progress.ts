import { describeError, OperatingError } from "../base/errors.ts";
import type { Clock } from "../platform/clock.ts";
import { type Amount, noAmount, plus } from "../spool/account.ts";
import type { SpoolRecord } from "../spool/record.ts";
import type { SpoolStore } from "../spool/store.ts";
import type { Log } from "../telemetry/log.ts";
import type { KeptBatch } from "./kept-batch.ts";
import type { LaneDelivery } from "./lane-delivery.ts";

/** Attempts to find in the spool what the sink holds, and milliseconds between two. Beyond it some of it may be sent twice. */
const findAttemptsMax = 10;
const findRetry = 1000;

/** What progress is told by. */
export interface KeptProgressOptions {
	readonly delivery: LaneDelivery;
	readonly spool: SpoolStore;
	/** This run (base/run.ts). */
	readonly run: number;
	readonly clock: Clock;
	readonly log: Log;
	readonly signal: AbortSignal;
}

/** Tells how much of what is kept the sink has already: by what this run sent, and of the runs before by what the sink and the lane's state say. One thread. */
export class KeptProgress {
	readonly #options: KeptProgressOptions;
	/** The last record of runs before that the sink has something of, and up to which event. Everything before it is delivered. */
	#through = { number: 0, sequence: 0 };
	#beforehand = noAmount;

	constructor(options: KeptProgressOptions) {
		this.#options = options;
	}

	/** What of the records that were come to had been delivered before this run. */
	get beforehand(): Amount {
		return this.#beforehand;
	}

	/**
	 * Looks what of the spool is delivered, once the sink has said where the lane stands. Records are delivered in order: what the sink has of them ends with the newest event
	 * that it has, where that is in a record here, or with the last one that the state knows to be delivered, where another agent on a copy of it has published meanwhile.
	 * Rejects as the signal says.
	 */
	async find(): Promise<void> {
		const { delivery, spool, clock, log, signal } = this.#options;
		const { newest, settled } = delivery;
		const known = [newest, { run: Number(settled?.configuration ?? 0), sequence: settled?.sequence ?? 0 }];
		for (let attempt = 0; attempt < findAttemptsMax && spool.account.left.records > 0; attempt++) {
			try {
				for (const { run, sequence } of known) {
					const number = run > 0 ? await spool.find(run, sequence) : 0;
					if (number === 0) continue;
					this.#through = { number, sequence };
					return;
				}
				return;
			} catch (error) {
				if (!(error instanceof OperatingError)) throw error;
				log.error("The spool cannot be read.", { error: describeError(error) });
				await clock.sleep(findRetry, signal);
			}
		}
	}

	/** Sequence of the last event of a batch that the sink has, by what this lane sent or asked; below its first for none. */
	reached({ run, firstSequence, lastSequence }: KeptBatch): number {
		const { newest } = this.#options.delivery;
		return run === newest.run ? Math.min(lastSequence, Math.max(firstSequence - 1, newest.sequence)) : firstSequence - 1;
	}

	/** The same of a record that is come to, which may be one of a run before. Once for each. */
	enter(record: SpoolRecord): number {
		const { run, number, count, firstSequence, lastSequence } = record;
		if (run === this.#options.run) return this.reached(record);
		const through = number === this.#through.number ? Math.min(lastSequence, this.#through.sequence) : 0;
		const reached = number < this.#through.number ? lastSequence : Math.max(through, this.reached(record));
		const events = Math.min(count, reached - firstSequence + 1);
		if (events > 0) this.#beforehand = plus(this.#beforehand, { records: reached === lastSequence ? 1 : 0, events });
		return reached;
	}
}
