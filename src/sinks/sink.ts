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
}

/** A batch ready to go: a JSON array of CloudEvents. The memory stays unchanged until the send resolved. */
export interface Batch {
	readonly number: number;
	readonly memory: Memory;
	/** The JSON array is bytes 0 to `length`. */
	readonly length: number;
	/** Events in it. */
	readonly count: number;
	/** Sequence of the last event. */
	readonly lastSequence: number;
	/** Cursor behind the last event, "" for live lanes. */
	readonly lastCursor: string;
}

/** One lane inside a sink. Batches are sent one at a time. */
export interface SinkLane {
	/**
	 * Resolves once the sink knows where this lane stands, however long that takes; retries by itself. `local` is what the state folder says.
	 * Rejects with OperatingError where a person must decide ("two_writers"), and with AbortError when the signal fires.
	 */
	open(local: LanePosition, signal: AbortSignal): Promise<LanePosition>;
	/** Most bytes of a batch that this sink takes now. */
	batchBytesMax(): number;
	/**
	 * Sends one batch and resolves when it is delivered; retries for ever by itself. Rejects as `open` does. The result says where the lane stands:
	 * normally at this batch.
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
