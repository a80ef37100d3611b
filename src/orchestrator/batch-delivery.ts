import type { LaneMark, Manifest } from "../lane/record.ts";
import type { Batch } from "../sinks/sink.ts";

/** A batch that is cut, without its number: that it gets when it is sent. */
export interface CutBatch extends Omit<Batch, "number"> {
	/** Sequence of the first event that it covers: those up to the last that it does not hold no message can carry. */
	readonly firstSequence: number;
}

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

/** Events of a lane, over all runs, by the word of its sink. */
export interface LaneReach {
	/** What the sink had when the lane was opened. */
	readonly found: number;
	/** What it has. */
	readonly reached: number;
}

/** Sees the batches of one lane delivered, one at a time and in order. Data worker's thread. */
export interface BatchDelivery {
	/** Says where the lane goes on, however long that takes. Rejects where a person must decide ("two_writers"), or as the signal of the lane says. */
	open(): Promise<LaneOpening>;
	/** Sees a batch delivered, however long that takes. The memory is free again when this is settled. Rejects as `open` does. */
	send(cut: CutBatch): Promise<Delivered>;
	/** Saves that the source was read up to `cursor`, where nothing on the way became an event. Only while no batch is open or on its way. */
	savePosition(cursor: string): void;
	/** Most bytes of a batch that goes through. */
	bytesMax(): number;
	/** Undefined until the sink has said where the lane stands. */
	readonly reach: LaneReach | undefined;
	/** Why the state cannot be written, undefined where it can. */
	readonly stateFailure: string | undefined;
	/** What happened lately that a person should know, undefined for nothing. */
	readonly notice: string | undefined;
}
