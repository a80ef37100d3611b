/** Counts by reason. */
export type Reasons = Readonly<Record<string, number>>;

/**
 * The account of one collector. `received + derived = published + Σ dropped + Σ discarded + inFlight`, exact at rest and per drained batch.
 * All numbers are events since the agent started.
 */
export interface LedgerAccount {
	/** Records that the source gave, whatever became of them. */
	readonly received: number;
	/** Events that the collector made itself, such as gaps. */
	readonly derived: number;
	/** Events that every sink acknowledged. */
	readonly published: number;
	/** Should have become events and did not, by reason. */
	readonly dropped: Reasons;
	/** Left out on purpose, by reason. */
	readonly discarded: Reasons;
	/** In the ring, in a batch, or awaiting the acknowledgement. */
	readonly inFlight: number;
	/** Never received, only known by their number, by reason. Not part of the equation. */
	readonly lost: Reasons;
	/** Events that were cut to fit; part of the published ones. */
	readonly truncated: number;
}

/** Accounts by collector. */
export type Ledger = Readonly<Record<string, LedgerAccount>>;

/** Sum over the reasons. */
export function sumReasons(reasons: Reasons): number {
	let sum = 0;
	for (const amount of Object.values(reasons)) sum += amount;
	return sum;
}

/** What is missing on the right side of the equation: 0 where the account is balanced, positive where events vanished. */
export function imbalance(account: LedgerAccount): number {
	const right = account.published + sumReasons(account.dropped) + sumReasons(account.discarded) + account.inFlight;
	return account.received + account.derived - right;
}
