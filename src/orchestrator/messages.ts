import type { OperatingError } from "../base/errors.ts";
import type { AgentConfig } from "../config/schema.ts";
import type { NodeIdentity } from "../event/event-writer.ts";
import type { SpoolAccount } from "../spool/account.ts";
import type { AppendStatus, SpoolEnd, SpoolLimits, SpoolRecord } from "../spool/record.ts";
import type { Health } from "../telemetry/health.ts";
import type { Ledger } from "../telemetry/ledger.ts";
import type { LaneStanding } from "../telemetry/ledger-history.ts";
import type { LogEntry, LogLevel } from "../telemetry/log.ts";

/** The memory of a ring, as it is handed from thread to thread: shared memory, or a descriptor of this process to map. */
export type RingMemory = { readonly shared: SharedArrayBuffer } | { readonly descriptor: number; readonly length: number };

/** One ring with the collectors that write into it, in the order of their indices. */
export interface RingHandle {
	readonly name: string;
	readonly memory: RingMemory;
	readonly collectors: readonly string[];
}

/** What the data worker is started with. */
export interface DataWorkerOptions {
	readonly config: AgentConfig;
	readonly rings: readonly RingHandle[];
	/** Folder of the lanes' state; undefined where nothing is kept. */
	readonly stateDirectory: string | undefined;
	readonly runId: string;
}

/** Main thread to data worker. */
export type ToDataWorker =
	| { readonly type: "start"; readonly options: DataWorkerOptions }
	/** The producer of a ring ended: drain what it left and say where a successor goes on. */
	| { readonly type: "settle"; readonly ring: string }
	| { readonly type: "stop"; readonly timeout: number }
	| { readonly type: "report" };

/** Data worker to main thread. */
export type FromDataWorker =
	| { readonly type: "started" }
	/** The lane of a collector knows where it stands: its source may be read from `position` on. */
	| { readonly type: "laneOpen"; readonly collector: string; readonly position: string | undefined }
	/** What a collector gave is forgotten in part: its source is to be read again from where "settled" then says. */
	| { readonly type: "rewind"; readonly collector: string; readonly reason: string }
	/** Whoever read the events has gone, and there is no other place for them: the agent ends. */
	| { readonly type: "outputGone" }
	/** Answer to "settle". */
	| { readonly type: "settled"; readonly ring: string; readonly positions: Readonly<Record<string, string | undefined>> }
	| { readonly type: "report"; readonly report: DataReport }
	| { readonly type: "log"; readonly entry: LogEntry }
	/** The worker cannot do its work: the agent ends. */
	| { readonly type: "failed"; readonly message: string }
	/** Answer to "stop": everything is delivered, or the time ran out. */
	| { readonly type: "stopped"; readonly report: DataReport };

/** What the data worker knows: accounts and the state of sinks and lanes. */
export interface DataReport {
	readonly ledger: Ledger;
	readonly sinks: Readonly<Record<string, Health>>;
	readonly lanes: Readonly<Record<string, Health>>;
	/** Where each lane stands by its sink; undefined until it is open. */
	readonly standings: Readonly<Record<string, LaneStanding | undefined>>;
	readonly statistics: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

/** A call of a spool's lane to the spool worker; `call` numbers it. */
export interface ToSpoolWorker {
	readonly call: number;
	readonly lane: string;
	readonly request: SpoolRequest;
}

/** What a lane asks of its spool: the calls of SpoolStore. */
export type SpoolRequest =
	| { readonly type: "open"; readonly directory: string; readonly id: string; readonly limits: SpoolLimits; readonly logLevel: LogLevel }
	| { readonly type: "append"; readonly record: SpoolRecord }
	| { readonly type: "head"; readonly now: number }
	| { readonly type: "find"; readonly run: number; readonly sequence: number }
	| { readonly type: "acknowledge"; readonly number: number }
	| { readonly type: "tick"; readonly now: number }
	| { readonly type: "rest" }
	| { readonly type: "close" };

/** What the lane is told beside each answer. */
export interface SpoolView {
	readonly account: SpoolAccount;
	readonly end: SpoolEnd;
	readonly fault: string | undefined;
}

/** The spool worker to the data worker. */
export type FromSpoolWorker =
	| { readonly type: "log"; readonly entry: LogEntry }
	| {
			readonly type: "answer";
			readonly call: number;
			readonly value: AppendStatus | SpoolRecord | number | boolean | undefined;
			readonly view: SpoolView | undefined;
	  }
	| { readonly type: "refused"; readonly call: number; readonly error: HostError };

/** What a collector host is started with: a worker by message, a child by the first line of its standard input. */
export interface HostOptions {
	readonly name: string;
	readonly ring: RingMemory;
	readonly logLevel: "debug" | "info" | "warn" | "error";
	readonly identity: NodeIdentity;
	readonly collectors: readonly { readonly name: string; readonly index: number; readonly config: unknown; readonly position: string | undefined }[];
}

/** A collector host to the main thread. */
export type FromHost =
	| { readonly type: "log"; readonly entry: LogEntry }
	| { readonly type: "report"; readonly collectors: Readonly<Record<string, CollectorReport>> }
	/** The host ends: by request, or because of an error. */
	| { readonly type: "ended"; readonly error: HostError | undefined };

/** State of one collector as its host reports it. */
export interface CollectorReport {
	readonly health: Health;
	readonly capabilities: number;
	readonly statistics: Readonly<Record<string, number>>;
}

/** An error on its way between threads and processes. */
export interface HostError {
	readonly code: string;
	readonly message: string;
}

/** Makes an error fit to travel. */
export function hostError(error: unknown, describe: (error: unknown) => string): HostError {
	return { code: isOperating(error) ? error.code : "defect", message: describe(error) };
}

function isOperating(error: unknown): error is OperatingError {
	return error instanceof Error && error.name === "OperatingError";
}
