import { assert } from "../base/assert.ts";
import { OperatingError } from "../base/errors.ts";
import type { AppendStatus, SpoolLimits, SpoolRecord } from "../spool/record.ts";
import type { SpoolLane } from "../spool/segment.ts";
import type { SpoolStore } from "../spool/store.ts";
import type { LogEntry, LogLevel } from "../telemetry/log.ts";
import type { FromSpoolWorker, SpoolRequest, SpoolView, ToSpoolWorker } from "./messages.ts";

/** Where spools are and what they may take. */
export interface SpoolPlace {
	/** The state folder. */
	readonly directory: string;
	readonly limits: SpoolLimits;
	readonly logLevel: LogLevel;
}

/** What the spool worker tells without being asked. */
export interface SpoolClientEvents {
	readonly onLog: (entry: LogEntry) => void;
	/** The worker cannot go on: the agent ends, and the next one finds on disk what this one kept. */
	readonly onFailed: (message: string) => void;
}

/** Answer to a call, and what the lane is told beside it. */
interface Answer {
	readonly value: AppendStatus | SpoolRecord | number | boolean | undefined;
	readonly view: SpoolView | undefined;
}

/** The spool worker as the data worker sees it. It is started by the first spool. */
export class SpoolClient {
	readonly #events: SpoolClientEvents;
	readonly #calls = new Map<number, { resolve: (answer: Answer) => void; reject: (error: OperatingError) => void }>();
	#worker: Worker | undefined;
	#call = 0;
	#isOver = false;

	constructor(events: SpoolClientEvents) {
		this.#events = events;
	}

	/** Opens the spool of a lane. Rejects as openSpool throws. */
	async open({ name, id }: SpoolLane, { directory, limits, logLevel }: SpoolPlace): Promise<SpoolStore> {
		const { view } = await this.#ask(name, { type: "open", directory, id, limits, logLevel });
		assert(view !== undefined, "A spool that is open tells of itself");
		return this.#store(name, view);
	}

	/** Ends the thread. */
	terminate(): void {
		this.#isOver = true;
		this.#worker?.terminate();
		this.#worker = undefined;
	}

	#store(lane: string, first: SpoolView): SpoolStore {
		let view = first;
		let isClosed = false;
		const ask = async (request: SpoolRequest, transfer?: ArrayBuffer) => {
			const answer = await this.#ask(lane, request, transfer);
			view = answer.view ?? view;
			return answer.value;
		};
		return {
			async append(record) {
				// Handed over and not copied once more; the caller's memory is free as soon as it is copied here.
				const payload = record.payload.slice();
				const status = await ask({ type: "append", record: { ...record, payload } }, payload.buffer);
				assert(status === "stored" || status === "refused" || status === "too_large", "An append has an outcome");
				return status;
			},
			async head(now) {
				const record = await ask({ type: "head", now });
				assert(record === undefined || typeof record === "object", "The head is a record");
				return record;
			},
			async find(run, sequence) {
				const number = await ask({ type: "find", run, sequence });
				assert(typeof number === "number", "A record has a number");
				return number;
			},
			acknowledge: async (number) => (await ask({ type: "acknowledge", number })) === true,
			tick: async (now) => void (await ask({ type: "tick", now })),
			rest: async () => void (await ask({ type: "rest" })),
			async close() {
				if (isClosed) return;
				isClosed = true;
				await ask({ type: "close" });
			},
			get account() {
				return view.account;
			},
			get end() {
				return view.end;
			},
			get fault() {
				return view.fault;
			},
		};
	}

	#ask(lane: string, request: SpoolRequest, transfer?: ArrayBuffer): Promise<Answer> {
		if (this.#isOver) return Promise.reject(new OperatingError("spool_closed", "The agent has ended"));
		const call = ++this.#call;
		const message: ToSpoolWorker = { call, lane, request };
		const answer = new Promise<Answer>((resolve, reject) => this.#calls.set(call, { resolve, reject }));
		this.#started().postMessage(message, transfer === undefined ? [] : [transfer]);
		return answer;
	}

	#started(): Worker {
		if (this.#worker !== undefined) return this.#worker;
		const worker = new Worker(new URL("./spool-worker.ts", import.meta.url).href, { name: "spool" });
		worker.onmessage = (event: MessageEvent<FromSpoolWorker>) => this.#take(event.data);
		worker.onerror = (event: ErrorEvent) => this.#events.onFailed(`The spool worker failed: ${event.message}`);
		this.#worker = worker;
		return worker;
	}

	#take(message: FromSpoolWorker): void {
		if (message.type === "log") {
			this.#events.onLog(message.entry);
			return;
		}
		const call = this.#calls.get(message.call);
		this.#calls.delete(message.call);
		assert(call !== undefined, "An answer is to a call");
		if (message.type === "answer") call.resolve(message);
		else {
			const { code, message: text } = message.error;
			if (code === "defect") this.#events.onFailed(text);
			call.reject(new OperatingError(code, text));
		}
	}
}
