import type { Memory } from "../platform/ffi/memory.ts";
import type { Health } from "../telemetry/health.ts";

/** Who sends: one ordered source. A lane has one writer, one subject, and numbers its batches from 1. */
export interface LaneIdentity {
	/** Name of the collector; with `suffix` where one collector has several lanes. */
	readonly collector: string;
	/** Random, made with the state folder, lower-case hexadecimal. */
	readonly id: string;
	readonly cluster: string;
	readonly node: string;
}

/** What a sink knows of a lane when it has asked: where the writer goes on. */
export interface LanePosition {
	/** Number of the last batch that is safely delivered; 0 for none. */
	readonly batch: number;
	/** Cursor behind that batch, "" where unknown. */
	readonly cursor: string;
	/** Sequence of the last event of that batch; 0 for none. */
	readonly sequence: number;
	/** The run that cut that batch ({@link Batch.run}); left out where it is not known. */
	readonly run?: number;
	/** What the sink found that is not the normal course. */
	readonly finding?: LaneFinding;
}

/** What a lane has to tell when it is not where it was left. */
export type LaneFinding =
	/** The state folder was fresh, and another lane had written to this place: its last batch. The lane goes on from number 1 behind it; a gap is to be stated. */
	| {
			readonly kind: "adopted";
			readonly lane: string;
			readonly batch: number;
			readonly cursor: string;
			readonly sequence: number;
			readonly run: number;
	  }
	/** The sink holds less than it acknowledged, up to `acknowledged`: the position is what it still holds. Read again from there where that is possible. */
	| { readonly kind: "went_back"; readonly acknowledged: number };

/** Where the state folder says that a lane stands. */
export interface LaneStart extends LanePosition {
	/** True where this state folder has never had a batch of this lane to send. Only then may a place that another lane wrote to be taken over. */
	readonly fresh?: boolean;
	/** Lane whose place this one took over ("adopted"), as long as nothing of it is delivered. */
	readonly adopted?: string;
}

/** A batch ready to go: a JSON array of CloudEvents. The memory stays unchanged until the send resolved. */
export interface Batch {
	readonly number: number;
	readonly memory: Memory;
	/**
	 * The JSON array is `length` bytes from `offset` on. What stands before it, and {@link batchTailroom} bytes behind it, are the first sink's to write what it puts
	 * around a message: one piece leaves the machine with half the system calls of three.
	 */
	readonly offset: number;
	readonly length: number;
	/** Events in it. */
	readonly count: number;
	/** Sequence of the last event. */
	readonly lastSequence: number;
	/** Cursor behind the last event, "" for live lanes. */
	readonly lastCursor: string;
	/**
	 * The run that cut it (base/run.ts), which may be an earlier one where the batch comes from a spool: what tells one live batch from another of the same number. 0 for
	 * sources that can be read again: their cursors tell, and whoever reads them again cuts the same batch.
	 */
	readonly run: number;
}

/** Bytes before a batch that are free for the head of a message. A longer head goes in a piece of its own. */
export const batchHeadroom = 1024;
/** Bytes behind a batch that are free for the end of a message, where there is any room before it. */
export const batchTailroom = 8;

/** One lane inside a sink. Batches are sent one at a time. */
export interface SinkLane {
	/**
	 * Resolves once the sink knows where this lane stands, however long that takes; retries by itself. `local` is what the state folder says.
	 * Rejects with OperatingError where a person must decide ("two_writers"), and with AbortError when the signal fires.
	 */
	open(local: LaneStart, signal: AbortSignal): Promise<LanePosition>;
	/** Events that this lane ever delivered, over all runs, by the sink's own word; undefined before `open`, and for sinks that do not keep it. */
	readonly published?: number | undefined;
	/** Most bytes of a batch that this sink takes now. */
	batchBytesMax(): number;
	/**
	 * Sends one batch and resolves when it is delivered; retries for ever by itself. Rejects as `open` does, and with "batch_too_large" (fact `limit`, bytes)
	 * where the limit fell below the batch: nothing of it is stored, and it is to be cut anew under the same number. The result says where the lane stands:
	 * normally at this batch; before it with the finding "went_back", and then the batch was not delivered.
	 */
	send(batch: Batch, signal: AbortSignal): Promise<LanePosition>;
}

/** Numbers of one sink since start. */
export interface SinkStatistics {
	readonly batches: number;
	readonly events: number;
	readonly bytes: number;
	readonly errors: number;
	/** Attempts after the first, over all batches. */
	readonly retries: number;
}

/** Where events go. Lives in the data worker. */
export interface Sink {
	readonly name: string;
	/** Starts connecting; resolves at once. What fails shows in `health`, and is tried again. */
	start(): void | Promise<void>;
	/** The lane of this identity; one object per lane. */
	lane(identity: LaneIdentity): SinkLane;
	health(): Health;
	statistics(): SinkStatistics;
	/** Closes. Harmless twice. Unsettled sends reject. */
	stop(): Promise<void>;
}
