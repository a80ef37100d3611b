import { describeError } from "../base/errors.ts";
import type { SpoolAccount } from "./account.ts";
import type { AppendOutcome, AppendStatus, SpoolEnd, SpoolRecord } from "./record.ts";
import type { Spool } from "./spool.ts";

/**
 * A spool as its lane uses it, wherever it runs: what touches the disk answers later, what is only known is there at once, as of the last answer. One call at a time of
 * each kind; `append` may come while `head` is on its way. Where calls overlap they take effect in the order in which they were made.
 */
export interface SpoolStore {
	/** Stores a record behind all others (Spool.append). The payload is free again when this is settled. */
	append(record: SpoolRecord): Promise<AppendStatus>;
	/** The oldest record that is left (Spool.head), in memory of its own. Rejects with OperatingError "spool_read". */
	head(now: number): Promise<SpoolRecord | undefined>;
	/** Number of the last record of a run that holds an event of `sequence` or before it (Spool.find); 0 for none. Rejects with OperatingError "spool_read". */
	find(run: number, sequence: number): Promise<number>;
	/** The head is done with (Spool.acknowledge). */
	acknowledge(number: number): Promise<boolean>;
	/** What comes up with time (Spool.tick). */
	tick(now: number): Promise<void>;
	/** Where nothing is left, the files go, and no loss of power brings them back (Spool.rest). */
	rest(): Promise<void>;
	/** Safe twice. */
	close(): Promise<void>;
	readonly account: SpoolAccount;
	readonly end: SpoolEnd;
	/** What the disk refused last, until it is well again (Spool.fault). */
	readonly fault: string | undefined;
}

/** A spool on the thread of its caller, whom every call blocks for as long as the disk does. */
export function localStore(spool: Spool): SpoolStore {
	return {
		append: async (record) => statusOf(spool.append(record)),
		head: async (now) => spool.head(now),
		find: async (run, sequence) => spool.find(run, sequence),
		acknowledge: async (number) => spool.acknowledge(number),
		tick: async (now) => spool.tick(now),
		rest: async () => spool.rest(),
		close: async () => spool[Symbol.dispose](),
		get account() {
			return spool.account;
		},
		get end() {
			return spool.end;
		},
		get fault() {
			return spool.fault === undefined ? undefined : describeError(spool.fault);
		},
	};
}

function statusOf(outcome: AppendOutcome): AppendStatus {
	if (outcome.status === "stored") return "stored";
	return outcome.reason === "spool_too_large" ? "too_large" : "refused";
}
