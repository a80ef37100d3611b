import { backoffMs } from "../../base/backoff.ts";
import { describeError, OperatingError } from "../../base/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Health } from "../../telemetry/health.ts";
import type { Log } from "../../telemetry/log.ts";
import type { ReadText } from "./authentication.ts";
import { type ConnectionWorld, NatsConnection } from "./connection.ts";
import type { Epoch, LaneConnection, LaneLink } from "./epoch.ts";
import { needsPerson, operatingError } from "./failure.ts";
import { type NatsSinkOptions, type NatsTiming, natsTiming } from "./options.ts";
import { parseServerUrl, type ServerUrl, splitUrls } from "./server-url.ts";
import type { StreamFacts } from "./stream.ts";

/** A connection as the link keeps it, from its login to its end. */
export interface LinkConnection extends LaneConnection {
	/** Resolves with the reason when the connection has ended. */
	readonly ended: Promise<Error>;
	/** Most bytes of headers and body together that the server takes now. */
	readonly payloadBytesMax: number;
	/** Makes sure that there is a stream for the lanes. Rejects with OperatingError. */
	ensureStream(options: NatsSinkOptions): Promise<StreamFacts>;
	/** Ends the connection: what the socket still holds is dropped, not sent. Harmless twice. */
	reset(reason: Error): void;
}

/** Connects and logs in, or rejects with OperatingError within the connect time-out. */
export type OpenConnection = (server: ServerUrl, options: NatsSinkOptions, timing: NatsTiming, world: ConnectionWorld) => Promise<LinkConnection>;

/** What the link needs of the world. */
export interface LinkWorld {
	readonly clock: Clock;
	readonly log: Log;
	readonly read: ReadText;
	/** 0 to below 1. */
	readonly random: () => number;
	/** Opens a connection, for tests: a NatsConnection where it is not given. */
	readonly open?: OpenConnection;
}

/** An epoch with all that the loop knows of it. */
interface OwnEpoch extends Epoch {
	readonly connection: LinkConnection;
	/** Most bytes of headers and body together that the stream takes; Infinity without JetStream. */
	readonly messageBytesMax: number;
}

/** A connection that stood this long without a failure has earned a quick first attempt, though nothing was sent over it. */
const stableMs = 30_000;

/** Bytes that every server takes unless told otherwise. */
const defaultMessageBytes = 1024 * 1024;

type Waiter = (epoch: Epoch) => void;

/**
 * The connection loop and the circuit breaker: one connection after the other, each an epoch, with jittered back-off in between. `max_reconnects` failures
 * in a row open the circuit: health says so, and the loop goes on probing. The thread of the sink.
 */
export class Link implements LaneLink {
	readonly timing: NatsTiming;
	readonly #options: NatsSinkOptions;
	readonly #world: LinkWorld;
	readonly #servers: readonly ServerUrl[];
	readonly #stop = new AbortController();
	readonly #waiters = new Set<Waiter>();
	#loop: Promise<void> | undefined;
	#epoch: OwnEpoch | undefined;
	#failures = 0;
	#problem: OperatingError | undefined;
	#refusal: OperatingError | undefined;
	#messageBytesMax = defaultMessageBytes;
	#differences: readonly string[] = [];
	#connections = 0;
	#server: ServerUrl | undefined;

	/** Throws OperatingError "nats_url" where a URL cannot be read. */
	constructor(options: NatsSinkOptions, world: LinkWorld) {
		this.timing = { ...natsTiming, ...options.timing };
		this.#options = options;
		this.#world = world;
		this.#servers = options.urls.flatMap(splitUrls).map(parseServerUrl);
		if (this.#servers.length === 0) throw new OperatingError("nats_url", "No NATS server is named", { hint: "set nats.url" });
	}

	/** Starts the loop. Harmless twice. */
	start(): void {
		this.#loop ??= this.#run();
	}

	/** Ends the connection and the loop. Harmless twice. */
	async stop(): Promise<void> {
		this.#stop.abort(new OperatingError("nats_stopped", "The NATS sink has stopped"));
		await this.#loop;
	}

	current(signal: AbortSignal): Promise<Epoch> {
		if (signal.aborted) return Promise.reject(signal.reason);
		if (this.#stop.signal.aborted) return Promise.reject(this.#stop.signal.reason);
		if (this.#epoch?.connection.alive === true) return Promise.resolve(this.#epoch);
		const either = AbortSignal.any([signal, this.#stop.signal]);
		return new Promise((resolve, reject) => {
			const done = (epoch: Epoch) => {
				either.removeEventListener("abort", stop);
				resolve(epoch);
			};
			const stop = () => {
				this.#waiters.delete(done);
				reject(either.reason);
			};
			either.addEventListener("abort", stop, { once: true });
			this.#waiters.add(done);
		});
	}

	failed(epoch: Epoch, reason: OperatingError): void {
		const own = this.#epoch;
		if (own === undefined || own !== epoch || !own.connection.alive) return;
		this.#refusal = reason;
		own.connection.reset(reason);
	}

	succeeded(): void {
		if (this.#failures === 0) return;
		this.#failures = 0;
		this.#problem = undefined;
		this.#refusal = undefined;
	}

	messageBytesMax(): number {
		if (this.#epoch !== undefined) this.#messageBytesMax = Math.min(this.#epoch.connection.payloadBytesMax, this.#epoch.messageBytesMax);
		return this.#messageBytesMax;
	}

	/** Where the circuit breaker stands, as words for the end of a message. */
	get state(): string {
		if (this.#failures >= this.#options.maxReconnects) return `circuit open after ${this.#failures} failures, probing`;
		return this.#failures === 0 ? "trying again" : `attempt ${this.#failures + 1} follows`;
	}

	health(): Health {
		if (this.#loop === undefined) return { status: "unknown", message: "The NATS sink is not started" };
		if (this.#stop.signal.aborted) return { status: "unknown", message: "The NATS sink has stopped" };
		const problem = this.#problem;
		if (problem !== undefined) {
			return { status: needsPerson(problem) ? "unhealthy" : "degraded", message: `${describeError(problem)}; ${this.state}` };
		}
		const server = this.#server?.shown ?? "";
		if (this.#epoch === undefined) return { status: "unknown", message: "Connecting to NATS" };
		if (this.#differences.length > 0) {
			return { status: "degraded", message: `The stream ${this.#options.jetstream.stream} is used as it is: ${this.#differences.join("; ")}` };
		}
		return { status: "healthy", message: `Connected to ${server}` };
	}

	async #run(): Promise<void> {
		const { clock, log, random } = this.#world;
		const { signal } = this.#stop;
		while (!signal.aborted) {
			const began = clock.monotonic();
			const reason = await this.#live();
			if (signal.aborted) return;
			if (clock.monotonic() - began > stableMs + this.timing.connectMs * this.#servers.length) this.#failures = 0;
			this.#failures++;
			this.#problem = reason;
			const wait = backoffMs(this.#failures, this.timing.backoffMinMs, this.timing.backoffMaxMs, random);
			const fields = { reason: reason.message, code: reason.code, failures: this.#failures, waitMs: Math.round(wait) };
			if (this.#failures === this.#options.maxReconnects) log.warn("The NATS circuit is open; probing goes on.", fields);
			else if (this.#failures === 1) log.warn("There is no connection to NATS; trying again.", fields);
			else log.debug("There is no connection to NATS.", fields);
			try {
				await clock.sleep(wait, signal);
			} catch {
				return; // Stopped: the only reason of a sleep to reject.
			}
		}
	}

	/** One epoch from its first packet to its end; resolves with the reason of the end. */
	async #live(): Promise<OperatingError> {
		let epoch: OwnEpoch;
		try {
			epoch = await this.#connect();
		} catch (error) {
			return operatingError(error);
		}
		this.#connections++;
		this.#problem = this.#refusal;
		this.#epoch = epoch;
		this.#world.log.info("Connected to NATS.", { server: this.#server?.shown, messageBytesMax: this.messageBytesMax() });
		for (const waiter of [...this.#waiters]) {
			this.#waiters.delete(waiter);
			waiter(epoch);
		}
		const reason = await epoch.connection.ended;
		this.#epoch = undefined;
		return operatingError(reason);
	}

	/** Tries every server once, beginning with the next one. Rejects with what the last one said. */
	async #connect(): Promise<OwnEpoch> {
		let last: unknown;
		for (let attempt = 0; attempt < this.#servers.length && !this.#stop.signal.aborted; attempt++) {
			const server = this.#servers[(this.#connections + this.#failures + attempt) % this.#servers.length];
			if (server === undefined) continue;
			try {
				const { clock, read, open = NatsConnection.open } = this.#world;
				const connection = await open(server, this.#options, this.timing, { clock, read, signal: this.#stop.signal });
				this.#server = server;
				return await this.#prepare(connection);
			} catch (error) {
				last = error;
			}
		}
		throw last ?? new OperatingError("nats_stopped", "The NATS sink has stopped");
	}

	async #prepare(connection: LinkConnection): Promise<OwnEpoch> {
		if (!this.#options.jetstream.enabled) return { connection, messageBytesMax: Number.POSITIVE_INFINITY };
		try {
			const facts = await connection.ensureStream(this.#options);
			if (facts.created) this.#world.log.info("Created the stream.", { stream: this.#options.jetstream.stream });
			if (facts.differences.length > 0 && this.#differences.join() !== facts.differences.join()) {
				this.#world.log.warn("The stream differs from the configuration and is used as it is.", { differences: facts.differences });
			}
			this.#differences = facts.differences;
			return { connection, messageBytesMax: facts.messageBytesMax };
		} catch (error) {
			connection.reset(operatingError(error));
			throw error;
		}
	}
}
