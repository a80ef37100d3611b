import type { Ledger, LedgerAccount, Reasons } from "./ledger.ts";

/** Where a lane stood when it was opened in this run, and where it stands. */
export interface LaneStanding {
	/** Random id of the lane's state. */
	readonly lane: string;
	/** Events of this lane that the sink had when it was opened, of all runs; left out until it has said so. */
	readonly found?: number;
	/** Events of this lane that the sink has; left out until it has said so. */
	readonly reached?: number;
}

/** What is kept of one collector from run to run. */
export interface CollectorHistory {
	/** Id of its lane; empty where it was never opened. */
	readonly lane: string;
	/** {@link LaneStanding.reached} when this was written. */
	readonly reached: number;
	/** When counting began, ISO 8601. */
	readonly since: string;
	/** The run that wrote this. */
	readonly run: LedgerAccount;
	/** All runs together. */
	readonly total: LedgerAccount;
}

/** The history of each collector that ever ran on this state folder. */
export type LedgerHistory = Readonly<Record<string, CollectorHistory>>;

const nothing: LedgerAccount = { received: 0, derived: 0, published: 0, dropped: {}, discarded: {}, lost: {}, inFlight: 0, truncated: 0 };

/** Both accounts together, reason by reason. */
export function addAccounts(first: LedgerAccount, second: LedgerAccount): LedgerAccount {
	return {
		received: first.received + second.received,
		derived: first.derived + second.derived,
		published: first.published + second.published,
		dropped: addReasons(first.dropped, second.dropped),
		discarded: addReasons(first.discarded, second.discarded),
		lost: addReasons(first.lost, second.lost),
		inFlight: first.inFlight + second.inFlight,
		truncated: first.truncated + second.truncated,
	};
}

/**
 * What runs before this one come to, once the lane is open. What was in flight when the history was written is either in the stream by now
 * or gone: a source that can be read again gives it once more, to this run's account. What the stream holds beyond the history was received and published
 * between its last writing and the end of a run that was killed. The result is balanced where `before` was.
 */
export function settleAccount(before: CollectorHistory, standing: LaneStanding): LedgerAccount {
	const { total } = before;
	const late = before.lane === standing.lane ? Math.max(0, (standing.found ?? 0) - before.reached) : 0;
	return { ...total, received: total.received - total.inFlight + late, published: total.published + late, inFlight: 0 };
}

/**
 * The history as it stands in the middle of a run, or at its end: `before` as the run found it, and what it did itself. Collectors that do not run keep
 * theirs. `now` is ISO 8601. Balanced where both are.
 */
export function continueHistory(
	before: LedgerHistory,
	ledger: Ledger,
	standings: Readonly<Record<string, LaneStanding | undefined>>,
	now: string,
): LedgerHistory {
	const history: Record<string, CollectorHistory> = { ...before };
	for (const [name, run] of Object.entries(ledger)) {
		const earlier = before[name];
		const standing = standings[name];
		const base = earlier === undefined ? nothing : standing === undefined ? earlier.total : settleAccount(earlier, standing);
		history[name] = {
			lane: standing?.lane ?? earlier?.lane ?? "",
			reached: standing?.reached ?? (standing === undefined || standing.lane === earlier?.lane ? (earlier?.reached ?? 0) : 0),
			since: earlier?.since ?? now,
			run,
			total: addAccounts(base, run),
		};
	}
	return history;
}

function addReasons(first: Reasons, second: Reasons): Reasons {
	const sum: Record<string, number> = { ...first };
	for (const [reason, amount] of Object.entries(second)) sum[reason] = (sum[reason] ?? 0) + amount;
	return sum;
}
