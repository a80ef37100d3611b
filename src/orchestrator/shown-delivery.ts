import { describeError } from "../base/errors.ts";
import type { LaneState } from "../lane/lane-state.ts";
import type { SinkLane } from "../sinks/sink.ts";
import type { Log } from "../telemetry/log.ts";
import type { BatchDelivery, CutBatch, Delivered, LaneOpening } from "./batch-delivery.ts";

/** What showing needs. */
export interface ShownDeliveryOptions {
	/** Where the batches really go. */
	readonly delivery: BatchDelivery;
	/** Show what passes. */
	readonly sinks: readonly SinkLane[];
	readonly state: LaneState;
	readonly log: Log;
	readonly signal: AbortSignal;
}

/** A delivery whose batches are shown in other sinks as well, when they are cut. Showing is not delivering: what fails there changes nothing. */
export class ShownDelivery implements BatchDelivery {
	readonly #options: ShownDeliveryOptions;
	/** Batches shown. */
	#number = 0;

	constructor(options: ShownDeliveryOptions) {
		this.#options = options;
	}

	async open(): Promise<LaneOpening> {
		const { delivery, sinks, state, signal } = this.#options;
		for (const sink of sinks) await sink.open(state.beginning, signal);
		return await delivery.open();
	}

	async send(cut: CutBatch): Promise<Delivered> {
		const { delivery, sinks, log, signal } = this.#options;
		this.#number++;
		const shown = sinks.map((sink) => sink.send({ ...cut, number: this.#number }, signal));
		const [outcome, ...looks] = await Promise.allSettled([delivery.send(cut), ...shown]);
		for (const look of looks) if (look.status === "rejected") log.debug("A batch was not shown.", { error: describeError(look.reason) });
		if (outcome.status === "rejected") throw outcome.reason;
		return outcome.value;
	}

	savePosition(cursor: string): void {
		this.#options.delivery.savePosition(cursor);
	}

	bytesMax(): number {
		return this.#options.delivery.bytesMax();
	}

	get reach() {
		return this.#options.delivery.reach;
	}

	get stateFailure() {
		return this.#options.delivery.stateFailure;
	}

	get notice() {
		return this.#options.delivery.notice;
	}
}
