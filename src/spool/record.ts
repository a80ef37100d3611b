import type { OperatingError } from "../base/errors.ts";
import type { RefusalReason } from "./account.ts";

/** A batch of a lane, as it was cut. */
export interface SpoolRecord {
	/** Number of the record: 1 or more, and above that of every record before. The batch gets its own when it is sent. */
	readonly number: number;
	/** The run that cut it (base/run.ts). */
	readonly run: number;
	/** Events in it, 1 or more. */
	readonly count: number;
	readonly firstSequence: number;
	readonly lastSequence: number;
	/** Cursor behind the last event; "" for sources without. Up to 16 KiB. */
	readonly lastCursor: string;
	/** When it was appended, milliseconds since 1970. */
	readonly time: number;
	/** 1 byte to 16 MiB. */
	readonly payload: Uint8Array;
}

/** When what is written is made to survive a loss of power: the format in segment.ts says what each survives. A number is an interval in milliseconds. */
export type FsyncPolicy = "always" | "never" | number;

/** What the configuration says of a spool. */
export interface SpoolLimits {
	/** Bytes of all segments; 1 MiB or more. Beyond it the oldest segments are dropped. */
	readonly maxBytes: number;
	/** Milliseconds; Infinity for ever. Older records are dropped. By the clock of the wall: a clock that jumps ahead makes records old. */
	readonly maxAge: number;
	readonly fsync: FsyncPolicy;
}

/** The last record of a spool, as far as it is known. */
export interface SpoolEnd {
	/** Its number; 0 where nothing was ever stored. The next one is above it. */
	readonly number: number;
	/** Sequence of its last event. */
	readonly sequence: number;
	/** The run that cut it; 0 where everything is gone and a run before did it. */
	readonly run: number;
	/** Cursor behind it; "" where everything is gone and a run before did it. */
	readonly cursor: string;
}

/** The outcome as far as its lane has to know it. too_large: this record will never be taken; what the disk said is the fault of the store. */
export type AppendStatus = "stored" | "refused" | "too_large";

/** What became of a record that was given to the spool. */
export type AppendOutcome =
	| { readonly status: "stored" }
	/** The spool holds what it held before. `error` is there for `spool_failed`; the next record may find room again. */
	| { readonly status: "refused"; readonly reason: RefusalReason; readonly error?: OperatingError };
