import { assert } from "../base/assert.ts";
import { backoffMs } from "../base/backoff.ts";
import { describeError } from "../base/errors.ts";
import { type Clock, resolvesWithin } from "../platform/clock.ts";
import type { Memory } from "../platform/ffi/memory.ts";
import { runEvery } from "../platform/timers.ts";
import { wordHeartbeat } from "../ring/layout.ts";
import { setControl } from "../ring/writer.ts";
import type { Health } from "../telemetry/health.ts";
import type { Log } from "../telemetry/log.ts";
import type { CollectorReport, FromHost, HostError } from "./messages.ts";

/** A running thread or process with collectors. */
export interface CollectorHost {
	/** For the log: "process 123". */
	readonly description: string;
	/** Ends it at once. */
	kill(): void;
	/** Resolves when it is gone, after `onEnded`. */
	readonly exited: Promise<void>;
}

/** What a host tells its supervisor. */
export interface HostEvents {
	onMessage(message: Exclude<FromHost, { type: "ended" }>): void;
	/** Called once, when it is gone. */
	onEnded(error: HostError | undefined): void;
}

/** Positions by collector. */
export type Positions = Readonly<Record<string, string | undefined>>;

/** What a supervisor needs of its surroundings. */
export interface SupervisorOptions {
	readonly name: string;
	readonly collectors: readonly string[];
	/** The header of the ring, to ask for the end and to see the heartbeat. */
	readonly ring: Memory;
	readonly start: (positions: Positions, events: HostEvents) => CollectorHost;
	/** Drains what a dead host left in its ring and says where its successor goes on. */
	readonly settle: () => Promise<Positions>;
	readonly clock: Clock;
	readonly random: () => number;
	readonly log: Log;
	/** Milliseconds without a turn of the host's loop until it counts as hanging; half a minute where it is left out. */
	readonly hangAfter?: number;
}

const backoffMin = 200;
const backoffMax = 30_000;
/** A host that ran this long starts over with the shortest wait when it ends. */
const provenAfter = 60_000;
/** A host whose loop does not turn for this long hangs. libsystemd may search a large journal for seconds. */
const hangAfterDefault = 30_000;
const watchInterval = 1000;
/** Time for a host to end by itself when it is asked to. */
const stopWait = 3000;

/** Keeps one host running: starts it anew behind the last record drained when it dies, throws or hangs, with growing waits. Main thread. */
export class Supervisor {
	readonly name: string;
	readonly #options: SupervisorOptions;
	readonly #abort = new AbortController();
	#host: CollectorHost | undefined;
	#reports: Readonly<Record<string, CollectorReport>> = {};
	#failures = 0;
	#restarts = 0;
	#lastError: HostError | undefined;
	/** Why it was asked to end and start anew. */
	#asked: HostError | undefined;
	#startedAt = 0;
	#positions: Positions = {};
	#beat = -1;
	#beatAt = 0;
	#endWatch = () => {};

	constructor(options: SupervisorOptions) {
		this.name = options.name;
		this.#options = options;
	}

	/** Starts the host. Later starts are the supervisor's own. */
	start(positions: Positions): void {
		assert(this.#host === undefined, "The host is started once");
		if (this.#abort.signal.aborted) return;
		this.#positions = positions;
		this.#launch();
		this.#endWatch = runEvery(watchInterval, () => this.#look());
	}

	/** Times the host was started again. */
	get restarts(): number {
		return this.#restarts;
	}

	/** State of one collector: its own word while it runs, else why it does not. */
	health(collector: string): Health {
		const report = this.#reports[collector];
		if (this.#host === undefined || report === undefined) {
			if (this.#lastError === undefined) return { status: "unknown", message: "not started" };
			return { status: "unhealthy", message: `${this.#lastError.message}; it is tried again` };
		}
		const isRecent = this.#options.clock.monotonic() - this.#startedAt < provenAfter;
		if (this.#lastError !== undefined && isRecent && report.health.status === "healthy") {
			return { status: "degraded", message: `${withoutStop(report.health.message)}; restarted after: ${this.#lastError.message}` };
		}
		return report.health;
	}

	/** What its collectors last reported. */
	get reports(): Readonly<Record<string, CollectorReport>> {
		return this.#reports;
	}

	/** Ends the host and starts it anew where `settle` then says. Harmless while it is about to start anyway. */
	restart(reason: string): void {
		if (this.#host === undefined || this.#abort.signal.aborted) return;
		this.#asked = { code: "rewind", message: reason };
		void this.#end(this.#host);
	}

	/** Asks the host to end, waits a moment, and ends it. Harmless twice. */
	async stop(): Promise<void> {
		this.#abort.abort();
		this.#endWatch();
		if (this.#host !== undefined) await this.#end(this.#host);
	}

	/** Ends the host at once and starts nothing more. Harmless twice. */
	abandon(): void {
		this.#abort.abort();
		this.#endWatch();
		this.#host?.kill();
	}

	async #end(host: CollectorHost): Promise<void> {
		setControl(this.#options.ring, true);
		const isGone = await resolvesWithin(this.#options.clock, host.exited, stopWait);
		if (!isGone) host.kill();
		await host.exited;
	}

	#launch(): void {
		const { clock, ring, log } = this.#options;
		setControl(ring, false);
		this.#startedAt = clock.monotonic();
		this.#beat = -1;
		this.#beatAt = this.#startedAt;
		this.#reports = {};
		try {
			this.#host = this.#options.start(this.#positions, {
				onMessage: (message) => this.#take(message),
				onEnded: (error) => void this.#ended(error),
			});
		} catch (error) {
			// No process or thread is to be had now: that passes.
			void this.#ended({ code: "host_start", message: describeError(error) });
			return;
		}
		log.debug("A collector host started.", { host: this.name, as: this.#host.description });
	}

	#take(message: Exclude<FromHost, { type: "ended" }>): void {
		if (message.type === "report") this.#reports = message.collectors;
		else {
			const { level, message: text, fields, component } = message.entry;
			this.#options.log.child(component)[level](text, fields);
		}
	}

	async #ended(error: HostError | undefined): Promise<void> {
		const { clock, log, settle, random } = this.#options;
		this.#host = undefined;
		if (this.#abort.signal.aborted) return;
		const asked = this.#asked;
		this.#asked = undefined;
		this.#lastError = asked ?? error ?? { code: "ended", message: "the host ended without being asked" };
		this.#failures = clock.monotonic() - this.#startedAt >= provenAfter ? 1 : this.#failures + 1;
		const wait = backoffMs(this.#failures, backoffMin, backoffMax, random);
		const fields = { host: this.name, reason: this.#lastError.message, waitMs: Math.round(wait) };
		if (asked === undefined) log.error("A collector host ended; it starts again.", fields);
		else log.warn("A collector host starts again, to read from an earlier position.", fields);
		try {
			// At once, so that what is lost is counted; and again, because the lane may have been set back meanwhile.
			await settle();
			await clock.sleep(wait, this.#abort.signal);
			this.#positions = { ...this.#positions, ...definedOnly(await settle()) };
		} catch (cause) {
			if (this.#abort.signal.aborted) return;
			throw cause;
		}
		if (this.#abort.signal.aborted) return;
		this.#restarts++;
		this.#launch();
	}

	/** A host whose loop stands still is ended, which starts it anew. */
	#look(): void {
		const host = this.#host;
		if (host === undefined) return;
		const now = this.#options.clock.monotonic();
		const beat = this.#options.ring.words[wordHeartbeat] ?? 0;
		if (beat !== this.#beat) {
			this.#beat = beat;
			this.#beatAt = now;
			return;
		}
		if (now - this.#beatAt < (this.#options.hangAfter ?? hangAfterDefault)) return;
		this.#options.log.error("A collector host stands still; it is ended and starts again.", { host: this.name });
		host.kill();
	}
}

/** A sentence that another part follows. */
function withoutStop(sentence: string): string {
	return sentence.replace(/\.$/, "");
}

function definedOnly(positions: Positions): Positions {
	return Object.fromEntries(Object.entries(positions).filter(([, position]) => position !== undefined));
}
