import { unreachable } from "../base/assert.ts";
import type { LogEntry } from "../telemetry/log.ts";
import type { DataReport, DataWorkerOptions, FromDataWorker, ToDataWorker } from "./messages.ts";
import type { Positions } from "./supervisor.ts";

/** What the data worker tells without being asked. */
export interface DataClientEvents {
	readonly onLaneOpen: (collector: string, position: string | undefined) => void;
	readonly onRewind: (collector: string, reason: string) => void;
	readonly onOutputGone: () => void;
	readonly onLog: (entry: LogEntry) => void;
	/** The worker cannot go on: the agent ends. */
	readonly onFailed: (message: string) => void;
}

/** The data worker as the main thread sees it. */
export class DataClient {
	readonly #worker: Worker;
	readonly #events: DataClientEvents;
	readonly #settling = new Map<string, (positions: Positions) => void>();
	readonly #reporting: ((report: DataReport) => void)[] = [];
	#stopped: ((report: DataReport) => void) | undefined;
	#started: (() => void) | undefined;

	constructor(events: DataClientEvents) {
		this.#events = events;
		this.#worker = new Worker(new URL("./data-worker.ts", import.meta.url).href, { name: "data" });
		this.#worker.onmessage = (event: MessageEvent<FromDataWorker>) => this.#take(event.data);
		this.#worker.onerror = (event: ErrorEvent) => events.onFailed(event.message);
	}

	/** Resolves when rings are drained and sinks are connecting; lanes open later. */
	start(options: DataWorkerOptions): Promise<void> {
		this.#send({ type: "start", options });
		return new Promise((resolve) => {
			this.#started = resolve;
		});
	}

	/** Drains what the dead producer of a ring left. */
	settle(ring: string): Promise<Positions> {
		this.#send({ type: "settle", ring });
		return new Promise((resolve) => this.#settling.set(ring, resolve));
	}

	/** Accounts and states as they are now. */
	report(): Promise<DataReport> {
		this.#send({ type: "report" });
		return new Promise((resolve) => this.#reporting.push(resolve));
	}

	/** Delivers what is left within `timeout` milliseconds, closes the sinks, and gives the last account. */
	stop(timeout: number): Promise<DataReport> {
		this.#send({ type: "stop", timeout });
		return new Promise((resolve) => {
			this.#stopped = resolve;
		});
	}

	/** Ends the thread. */
	terminate(): void {
		this.#worker.terminate();
	}

	#send(message: ToDataWorker): void {
		this.#worker.postMessage(message);
	}

	#take(message: FromDataWorker): void {
		switch (message.type) {
			case "started":
				this.#started?.();
				break;
			case "laneOpen":
				this.#events.onLaneOpen(message.collector, message.position);
				break;
			case "rewind":
				this.#events.onRewind(message.collector, message.reason);
				break;
			case "outputGone":
				this.#events.onOutputGone();
				break;
			case "settled":
				this.#settling.get(message.ring)?.(message.positions);
				this.#settling.delete(message.ring);
				break;
			case "report":
				for (const resolve of this.#reporting.splice(0)) resolve(message.report);
				break;
			case "log":
				this.#events.onLog(message.entry);
				break;
			case "failed":
				this.#events.onFailed(message.message);
				break;
			case "stopped":
				this.#stopped?.(message.report);
				break;
			default:
				unreachable(message);
		}
	}
}
