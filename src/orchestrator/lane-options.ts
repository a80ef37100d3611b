import type { Decoder } from "../collectors/collector.ts";
import type { Clock } from "../platform/clock.ts";
import type { BatchDelivery } from "./batch-delivery.ts";

/** What became of a record that a lane was offered. */
export type Appended =
	/** Part of the open batch. */
	| "appended"
	/** No event: a position only. */
	| "position"
	/** Cannot be taken in any form; counted. */
	| "dropped"
	/** Read before the source was set back: it comes again. */
	| "skipped"
	/** No room until a batch is acknowledged: offer it again then. */
	| "blocked";

/** Where a lane's batches go and how they are cut. */
export interface LaneWriterOptions {
	readonly delivery: BatchDelivery;
	readonly decoder: Decoder;
	/** Random id of the lane. */
	readonly lane: string;
	/** This run, where its source cannot be read again, else 0 (Batch.run). */
	readonly run: number;
	readonly batch: { readonly eventsMax: number; readonly bytesMax: number; readonly delayMax: number };
	readonly clock: Clock;
	readonly signal: AbortSignal;
	/** Called when a blocked lane has room again. */
	readonly onRoom: () => void;
	/** Called where the source is to be read again from `cursor`. The lane takes nothing until `resume`. */
	readonly onRewind: (reason: string) => void;
	/** Called once with the error where a person must decide. The lane takes nothing more. */
	readonly onStopped: (error: unknown) => void;
}

/** Counts of one lane since start. */
export interface LaneCounts {
	/** Batches cut. */
	batches: number;
	/** Events put into batches. */
	appended: number;
	/** Events acknowledged. */
	published: number;
	/** Events that were cut to fit; among the appended ones. */
	truncated: number;
	/** Events that no message can carry. */
	tooLarge: number;
	/** Records that were taken and forgotten, because their source is read again. */
	rewound: number;
	/** Events that a run before sent and saw no acknowledgement for; its source cannot be read again. */
	unconfirmed: number;
}
