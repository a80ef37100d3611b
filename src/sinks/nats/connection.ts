import { type JetStreamManager, jetstreamManager } from "@nats-io/jetstream";
import { type NatsConnection as Client, type Msg, NatsConnectionImpl, nuid, PermissionViolationError, type Status } from "@nats-io/transport-node";
import { OperatingError } from "../../base/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { type ReadText, readAuthenticator, readTls } from "./authentication.ts";
import type { LaneConnection, OutgoingMessage } from "./epoch.ts";
import { explainConnectFailure } from "./failure.ts";
import type { NatsSinkOptions, NatsTiming } from "./options.ts";
import type { ServerUrl } from "./server-url.ts";
import { isRemoved, readLastBatch, type StoredBatch } from "./stored.ts";
import { ensureStream, type StreamFacts } from "./stream.ts";
import { installTransport, type NatsTransport, type TransportOptions, TransportSettings } from "./transport.ts";

/** Bytes of a message where the server did not say. */
const payloadBytesDefault = 1024 * 1024;

const encoder = new TextEncoder();
/** Why a timer is not needed any more. Given, because an abort without a reason makes an error with a stack, 50 us each. */
const answered = "answered";
const lineEnd = encoder.encode("\r\n");

/** Addresses of one name that are waited for, the resolver included: nats.js limits each dial, but not the look-up. */
const attemptsPerServer = 3;

interface Waiting {
	readonly subject: string;
	readonly resolve: (message: Msg) => void;
	readonly reject: (error: Error) => void;
}

/** What a connection needs of the world. */
export interface ConnectionWorld {
	readonly clock: Clock;
	readonly read: ReadText;
	/** Ends the connection, or the attempt at one. */
	readonly signal: AbortSignal;
}

/**
 * One connection: one epoch of the lane protocol. It is never repaired, only replaced; what was in flight when it ended is unknown, and the stream is asked.
 * The thread of the sink.
 */
export class NatsConnection implements LaneConnection {
	/** Resolves with the reason when the connection has ended. */
	readonly ended: Promise<Error>;
	/** The API of the stream's server, through this connection. */
	readonly #manager: JetStreamManager;
	readonly #nc: Client;
	readonly #transport: NatsTransport;
	readonly #clock: Clock;
	readonly #inbox: string;
	readonly #waiting = new Map<string, Waiting>();
	readonly #during = new Set<(error: Error) => void>();
	readonly #end = Promise.withResolvers<Error>();
	#over: Error | undefined;
	#token = 0;

	private constructor(nc: Client, transport: NatsTransport, manager: JetStreamManager, inbox: string, clock: Clock) {
		this.#nc = nc;
		this.#transport = transport;
		this.#clock = clock;
		this.#inbox = inbox;
		this.#manager = manager;
		this.ended = this.#end.promise;
	}

	/** Connects and logs in, or rejects with OperatingError within the connect time-out. */
	static async open(server: ServerUrl, options: NatsSinkOptions, timing: NatsTiming, world: ConnectionWorld): Promise<NatsConnection> {
		const authenticator = await readAuthenticator(options.authentication, server, world.read);
		const settings = new TransportSettings(await readTls(options.tls, server, world.read));
		const prefix = options.inboxPrefix ?? "_INBOX";
		const natsOptions: TransportOptions = {
			tapio: settings,
			servers: [server.address],
			name: `tapio-agent ${options.cluster}/${options.node}`,
			reconnect: false,
			ignoreClusterUpdates: true,
			timeout: timing.connectMs,
			pingInterval: timing.pingMs,
			maxPingOut: 2,
			inboxPrefix: prefix,
			noAsyncTraces: true,
			...(authenticator === undefined ? {} : { authenticator }),
		};
		const abort = () => settings.transport?.reset(new OperatingError("nats_stopped", "The connection was given up"));
		world.signal.addEventListener("abort", abort, { once: true });
		let nc: Client;
		try {
			installTransport();
			nc = await inTime(NatsConnectionImpl.connect(natsOptions), timing.connectMs * attemptsPerServer, world);
		} catch (error) {
			world.signal.removeEventListener("abort", abort);
			settings.transport?.reset(new OperatingError("nats_closed", "The attempt failed"));
			throw explainConnectFailure(error, server, settings.transport, options.authentication.kind !== "none" || server.user !== undefined);
		}
		const { transport } = settings;
		if (transport === undefined) {
			// The way to make transports is one for the thread: a client of somebody else's was faster. The next attempt has it again.
			await nc.close();
			throw new OperatingError("nats_error", "Another NATS client of this thread took the connection");
		}
		const { domain } = options.jetstream;
		const manager = await jetstreamManager(nc, { checkAPI: false, timeout: timing.requestMs, ...(domain === "" ? {} : { domain }) });
		const connection = new NatsConnection(nc, transport, manager, `${prefix}.${nuid.next()}.`, world.clock);
		connection.#listen();
		void connection.ended.then(() => world.signal.removeEventListener("abort", abort));
		try {
			await connection.flush(timing.requestMs, world.signal);
		} catch (error) {
			connection.reset(error instanceof Error ? error : new OperatingError("nats_closed", "The attempt failed"));
			throw error;
		}
		return connection;
	}

	/** Most bytes of headers and body together that the server takes now; it may change while connected. */
	get payloadBytesMax(): number {
		return this.#nc.info?.max_payload ?? payloadBytesDefault;
	}

	get alive(): boolean {
		return this.#over === undefined;
	}

	/**
	 * Sends a message and resolves with the answer. The body is not copied: it stays unchanged until it settles. Rejects with OperatingError when the connection ends, "nats_timeout" after `waitMs`, or with the signal's reason.
	 */
	request(subject: string, message: OutgoingMessage, waitMs: number, signal: AbortSignal): Promise<Msg> {
		if (this.#over !== undefined) return Promise.reject(this.#over);
		if (signal.aborted) return Promise.reject(signal.reason);
		const token = String(++this.#token);
		const timer = new AbortController();
		return new Promise<Msg>((resolve, reject) => {
			const settle = () => {
				this.#waiting.delete(token);
				signal.removeEventListener("abort", abort);
				timer.abort(answered);
			};
			const abort = () => {
				settle();
				reject(signal.reason);
			};
			signal.addEventListener("abort", abort, { once: true });
			this.#waiting.set(token, {
				subject,
				resolve: (message) => {
					settle();
					resolve(message);
				},
				reject: (error) => {
					settle();
					reject(error);
				},
			});
			this.#clock.sleep(waitMs, timer.signal).then(
				() => this.#waiting.get(token)?.reject(new OperatingError("nats_timeout", `No acknowledgement within ${waitMs} ms`)),
				() => undefined, // The answer came first.
			);
			this.#write(`HPUB ${subject} ${this.#inbox}${token} `, message);
		});
	}

	/** Sends a message that nobody acknowledges. Nothing is copied; {@link flush} tells when it has arrived. */
	publish(subject: string, message: OutgoingMessage): void {
		this.#write(`HPUB ${subject} `, message);
	}

	/** Resolves when the server has read all that was sent before. Rejects with OperatingError, "nats_timeout" after `waitMs`. */
	async flush(waitMs: number, signal: AbortSignal): Promise<void> {
		const timer = new AbortController();
		const late = this.#clock.sleep(waitMs, timer.signal).then(
			() => Promise.reject(new OperatingError("nats_timeout", `No answer to a ping within ${waitMs} ms`)),
			() => undefined, // The answer came first.
		);
		try {
			await this.during(Promise.race([this.#nc.flush(), late]), signal);
		} finally {
			timer.abort(answered);
		}
	}

	/** The result of work over this connection. Rejects with the reason when the connection ends first, or with the signal's. */
	during<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
		if (this.#over !== undefined) return Promise.reject(this.#over);
		return new Promise<T>((resolve, reject) => {
			const stop = () => reject(signal.reason);
			const done = () => {
				this.#during.delete(reject);
				signal.removeEventListener("abort", stop);
			};
			this.#during.add(reject);
			signal.addEventListener("abort", stop, { once: true });
			if (signal.aborted) stop();
			work.then(resolve, reject).finally(done);
		});
	}

	/** Bytes that the socket has not handed to the kernel: parts of messages whose memory it still holds. */
	get pendingBytes(): number {
		return this.#transport.pendingBytes;
	}

	/** See ensureStream of stream.ts. */
	ensureStream(options: NatsSinkOptions): Promise<StreamFacts> {
		return ensureStream(this.#manager, options);
	}

	lastBatch(stream: string, subject: string, signal: AbortSignal): Promise<StoredBatch | undefined> {
		return this.during(readLastBatch(this.#manager, stream, subject), signal);
	}

	isRemoved(stream: string, streamSequence: number, signal: AbortSignal): Promise<boolean> {
		return this.during(isRemoved(this.#manager, stream, streamSequence), signal);
	}

	/** Ends the connection: what the socket still holds is dropped, not sent. Harmless twice. */
	reset(reason: Error): void {
		if (this.#over !== undefined) return;
		this.#over = reason;
		this.#transport.reset(reason);
		// Not awaited: on a stalled connection it may take as long as the stall.
		void this.#nc.close().catch(() => undefined);
		for (const waiting of [...this.#waiting.values()]) waiting.reject(reason);
		for (const reject of [...this.#during]) reject(reason);
		this.#end.resolve(reason);
	}

	#write(command: string, { headers, body, headroom }: OutgoingMessage): void {
		const line = `${command}${headers.length} ${headers.length + body.length}\r\n`;
		const headLength = line.length + headers.length;
		if (headLength > headroom) {
			const head = new Uint8Array(headLength);
			encoder.encodeInto(line, head);
			head.set(headers, line.length);
			this.#transport.write(head, body, lineEnd);
			return;
		}
		const whole = new Uint8Array(body.buffer, body.byteOffset - headLength, headLength + body.length + lineEnd.length);
		encoder.encodeInto(line, whole);
		whole.set(headers, line.length);
		whole.set(lineEnd, headLength + body.length);
		this.#transport.send(whole);
	}

	#listen(): void {
		this.#nc.subscribe(`${this.#inbox}*`, {
			callback: (error, message) => {
				if (error === null) this.#waiting.get(message.subject.slice(this.#inbox.length))?.resolve(message);
				else
					this.reset(
						new OperatingError("nats_permission", `Subscribe to ${this.#inbox}*`, { cause: error, hint: "allow the user to subscribe to its inbox" }),
					);
			},
		});
		void this.#nc.closed().then((error) => {
			this.reset(this.#transport.closeError ?? error ?? new OperatingError("nats_closed", "The server closed the connection"));
		});
		void this.#watch();
	}

	/** Follows what nats.js tells until the connection ends. */
	async #watch(): Promise<void> {
		for await (const status of this.#nc.status()) this.#note(status);
	}

	#note(status: Status): void {
		if (status.type === "ldm") this.reset(new OperatingError("nats_lame_duck", "The server is shutting down and asked its clients to leave"));
		if (status.type !== "error") return;
		const { error } = status;
		if (error instanceof PermissionViolationError) {
			const refused = new OperatingError(
				"nats_permission",
				`The server does not allow this user to ${error.operation === "publish" ? "publish" : "subscribe"} to ${error.subject}`,
				{
					hint: "grant it in the user's permissions",
				},
			);
			for (const waiting of [...this.#waiting.values()]) if (waiting.subject === error.subject) waiting.reject(refused);
			return;
		}
		// The server says why and then closes: kept as the reason, which the end of the socket alone would not tell.
		this.reset(new OperatingError("nats_server_error", `The server ended the connection: ${error.message}`));
	}
}

/** The connection within `limitMs` and before the signal. One that comes later is closed. */
async function inTime(connecting: Promise<Client>, limitMs: number, world: ConnectionWorld): Promise<Client> {
	const timer = new AbortController();
	const giveUp = Promise.withResolvers<never>();
	const stop = () => giveUp.reject(world.signal.reason);
	world.signal.addEventListener("abort", stop, { once: true });
	world.clock.sleep(limitMs, timer.signal).then(
		() => giveUp.reject(new OperatingError("nats_timeout", "No answer", { hint: "check the network, the resolver and the firewall" })),
		() => undefined, // The connection came first.
	);
	try {
		return await Promise.race([connecting, giveUp.promise]);
	} catch (error) {
		connecting.then(
			(late) => late.close(),
			() => undefined, // It failed as well, and the caller has a reason already.
		);
		throw error;
	} finally {
		timer.abort(answered);
		world.signal.removeEventListener("abort", stop);
	}
}
