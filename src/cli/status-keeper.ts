import { describeError } from "../base/errors.ts";
import type { OrchestratorReport } from "../orchestrator/orchestrator.ts";
import type { StateFiles } from "../platform/state-files.ts";
import { continueHistory, type LedgerHistory } from "../telemetry/ledger-history.ts";
import type { Log } from "../telemetry/log.ts";
import { type AgentStatus, readStatus, statusVersion, writeStatus } from "../telemetry/status-file.ts";

/** Who runs. */
export type RunDescription = Omit<AgentStatus["run"], "ended">;

/** Writes the status of this run, with the counts of all runs, into the state folder. Main thread. */
export class StatusKeeper {
	readonly #directory: string;
	readonly #files: StateFiles;
	readonly #run: RunDescription;
	readonly #log: Log;
	/** What the runs before left. */
	readonly #before: LedgerHistory;
	#failed = false;

	/** Reads what the run before left. The folder is held by its lock. */
	constructor(directory: string, files: StateFiles, run: RunDescription, log: Log) {
		this.#directory = directory;
		this.#files = files;
		this.#run = run;
		this.#log = log;
		this.#before = readStatus(directory, files, log)?.collectors ?? {};
	}

	/** Replaces the file. `now` is ISO 8601; `ended`: this is the last word of the run. A disk that refuses is named in the log, once until it takes something again. */
	save({ health, restarts, ledger, standings }: OrchestratorReport, now: string, ended = false): void {
		const collectors = { ...continueHistory(this.#before, ledger, standings, now) };
		const status: AgentStatus = {
			version: statusVersion,
			saved: now,
			run: { ...this.#run, ended },
			health: Object.fromEntries(Object.entries(health).map(([name, state]) => [name, { ...state }])),
			restarts: { ...restarts },
			collectors,
		};
		try {
			writeStatus(this.#directory, this.#files, status);
			if (this.#failed) this.#log.info("The status can be written again.");
			this.#failed = false;
		} catch (error) {
			if (!this.#failed) this.#log.warn("The status cannot be written; the counts of this run may be lost with it.", { error: describeError(error) });
			this.#failed = true;
		}
	}
}
