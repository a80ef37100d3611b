import type { Place } from "./segment.ts";

/** Records and events. */
export type Amount = Place;

/** Why something that was stored is not sent. */
export type DropReason =
	/** The oldest segments gave way to new records, because the spool was at its `max_bytes`. */
	| "spool_full"
	/** Older than `max_age`. */
	| "spool_expired"
	/** Between what is whole in the files something was missing. */
	| "spool_damaged"
	/** The disk failed to read it, again and again. */
	| "spool_unreadable";

/** Why a record was not stored. */
export type RefusalReason =
	/** Larger than `max_bytes`, or than a record may be. */
	| "spool_too_large"
	/** Its number is not above that of the record before. */
	| "spool_order"
	/** The disk did not take it. */
	| "spool_failed";

/** What became of all that a store had in its hands: found + stored = acknowledged + dropped + left. */
export interface SpoolAccount {
	/** Left by earlier processes when the store was opened. What is lost of it shows in `dropped` when it is come to. */
	readonly found: Amount;
	/** Stored since. */
	readonly stored: Amount;
	/** Acknowledged since. */
	readonly acknowledged: Amount;
	readonly dropped: Readonly<Record<DropReason, Amount>>;
	/** Never stored; not part of the sum. */
	readonly refused: Readonly<Record<RefusalReason, Amount>>;
	/** Still to be sent. */
	readonly left: Amount;
	/** Bytes of the segments that hold it. */
	readonly bytes: number;
	/** Operations that the disk refused. */
	readonly faults: number;
}

/** Nothing at all. */
export const noAmount: Amount = { records: 0, events: 0 };

/** Both together. */
export function plus(one: Amount, other: Amount): Amount {
	return { records: one.records + other.records, events: one.events + other.events };
}

/** What is in the first and not in the other. */
export function minus(one: Amount, other: Amount): Amount {
	return { records: one.records - other.records, events: one.events - other.events };
}

/** An account of drops at nothing. */
export function noDrops(): Record<DropReason, Amount> {
	return { spool_full: noAmount, spool_expired: noAmount, spool_damaged: noAmount, spool_unreadable: noAmount };
}

/** An account of refusals at nothing. */
export function noRefusals(): Record<RefusalReason, Amount> {
	return { spool_too_large: noAmount, spool_order: noAmount, spool_failed: noAmount };
}
