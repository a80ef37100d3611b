import { lookup } from "node:dns/promises";
import { connect as dial, type Socket } from "node:net";
import { connect as dialTls, type TLSSocket } from "node:tls";
import { type ConnectionOptions, type Server, setTransportFactory, type Transport } from "@nats-io/transport-node";
import { OperatingError } from "../../base/errors.ts";

/** PEM texts, as read for this connection. Undefined: TLS only where the server offers it, with the authorities of the system. */
export interface TlsMaterial {
	readonly ca?: string;
	readonly cert?: string;
	readonly key?: string;
	readonly handshakeFirst: boolean;
}

/** What a transport needs beside the options that nats.js knows; travels inside them, because nats.js makes the transport. */
export class TransportSettings {
	/** TLS is required where given. */
	readonly tls: TlsMaterial | undefined;
	/** The transport of the last dial. */
	transport: NatsTransport | undefined;

	constructor(tls: TlsMaterial | undefined) {
		this.tls = tls;
	}
}

/** The options of nats.js with ours inside. */
export interface TransportOptions extends ConnectionOptions {
	readonly tapio: TransportSettings;
}

/** Tells nats.js to make our transports, and how to resolve names. For the thread; harmless twice. */
export function installTransport(): void {
	setTransportFactory({
		factory: () => new NatsTransport(),
		dnsResolveFn: async (host) => (await lookup(host, { all: true })).map((entry) => entry.address),
	});
}

/** How far a connection came, for the message when it ends. */
export type TransportStage = "dial" | "greeting" | "tls" | "login";

/** Bytes of a greeting. Beyond it the other side is no NATS server. */
const greetingBytesMax = 64 * 1024;

/**
 * The socket under nats.js. Ours, because three things are not to be had from the one of the library: `reset` drops what the
 * socket still holds, so that no late byte of an ended connection arrives; `write` takes a message in parts, without copying it into one piece; and an
 * ended connection says how far it came. One connection; the thread of the sink.
 */
export class NatsTransport implements Transport {
	readonly lang = "tapio-agent";
	readonly version = "1";
	/** How far it came. */
	stage: TransportStage = "dial";
	/** True where the greeting says that the server wants a client certificate. */
	certificateWanted = false;
	closeError?: Error;
	#tls: TlsMaterial | undefined;
	readonly #closed = Promise.withResolvers<Error | undefined>();
	#raw: Socket | undefined;
	#socket: Socket | TLSSocket | undefined;
	#frames: Uint8Array[] = [];
	#wake: (() => void) | undefined;
	#done = false;

	get isClosed(): boolean {
		return this.#done;
	}

	/** Dials, reads the greeting and starts TLS where one side wants it. Rejects with OperatingError. nats.js calls it, with its own time limit. */
	async connect(server: Server, options: ConnectionOptions): Promise<void> {
		const given = "tapio" in options ? options.tapio : undefined;
		// A client of somebody else's in this thread may get one of ours: it is served without TLS settings.
		const settings = given instanceof TransportSettings ? given : new TransportSettings(undefined);
		settings.transport = this;
		const tls = settings.tls;
		this.#tls = tls;
		try {
			this.#raw = await this.#dial(server);
			if (tls?.handshakeFirst === true) await this.#startTls(server);
			this.stage = "greeting";
			const info = await this.#greeting();
			this.certificateWanted = info["tls_verify"] === true;
			const offered = info["tls_required"] === true || info["tls_available"] === true;
			if (tls !== undefined && !offered && !tls.handshakeFirst) {
				throw new OperatingError("nats_tls_absent", "The server does not offer TLS", { hint: "switch TLS on at the server, or leave nats.tls out" });
			}
			if (offered && tls?.handshakeFirst !== true) await this.#startTls(server);
			this.stage = "login";
			this.#follow();
		} catch (error) {
			this.#end(error instanceof Error ? error : undefined);
			throw error;
		}
	}

	/** Writes parts of protocol, each of them unchanged until the answer to it came. Nothing once closed. */
	write(head: Uint8Array, body: Uint8Array, tail: Uint8Array): void {
		if (this.#done || this.#socket === undefined) return;
		this.#socket.write(head);
		this.#socket.write(body);
		this.#socket.write(tail);
	}

	/** Bytes written and not yet taken by the kernel. */
	get pendingBytes(): number {
		return this.#socket?.writableLength ?? 0;
	}

	send(frame: Uint8Array): void {
		if (!this.#done) this.#socket?.write(frame);
	}

	/** Ends the connection so that nothing that the socket still holds is sent. Harmless twice. */
	reset(reason: Error): void {
		this.#end(reason);
	}

	isEncrypted(): boolean {
		return this.#socket !== undefined && this.#socket !== this.#raw;
	}

	async *[Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
		while (true) {
			const frames = this.#frames;
			this.#frames = [];
			yield* frames;
			if (this.#done) return;
			if (this.#frames.length === 0) {
				await new Promise<void>((resolve) => {
					this.#wake = resolve;
				});
			}
		}
	}

	close(error?: Error): Promise<void> {
		this.#end(error);
		return Promise.resolve();
	}

	/** Called by nats.js when its pings stay unanswered, or the login was refused while open. */
	disconnect(): void {
		this.#end(new OperatingError("nats_stalled", "The server stopped answering"));
	}

	discard(): void {
		this.#end(undefined);
	}

	closed(): Promise<Error | undefined> {
		return this.#closed.promise;
	}

	#dial(server: Server): Promise<Socket> {
		return new Promise((resolve, reject) => {
			const socket = dial({ port: server.port, host: server.hostname, noDelay: true }, () => resolve(socket));
			// Kept from the start, so that a dial that hangs is ended as well.
			this.#raw = socket;
			this.#socket = socket;
			this.#attach(socket, reject);
		});
	}

	/** Waits for the first line. What was read stays in the queue, for nats.js reads the greeting as well. */
	async #greeting(): Promise<Record<string, unknown>> {
		const decoder = new TextDecoder();
		const socket = this.#socket;
		return await new Promise((resolve, reject) => {
			let text = "";
			const read = (frame: Uint8Array) => {
				this.#frames.push(frame);
				text += decoder.decode(frame, { stream: true });
				const end = text.indexOf("\r\n");
				if (end < 0 && text.length < greetingBytesMax) return;
				socket?.off("data", read);
				const greeting = end < 0 ? undefined : parseGreeting(text.slice(0, end));
				if (greeting !== undefined) resolve(greeting);
				else reject(new OperatingError("nats_greeting", "What listens there is no NATS server", { hint: "check host and port of nats.url" }));
			};
			socket?.on("data", read);
			this.#closed.promise.then((error) => reject(error), reject);
		});
	}

	#startTls(server: Server): Promise<void> {
		this.stage = "tls";
		const tls = this.#tls;
		if (this.certificateWanted && tls?.cert === undefined) {
			return Promise.reject(
				new OperatingError("nats_certificate_missing", "The server wants a client certificate", { hint: "set nats.tls.cert and nats.tls.key" }),
			);
		}
		return new Promise((resolve, reject) => {
			const socket = dialTls(
				{
					...(this.#raw === undefined ? {} : { socket: this.#raw }),
					// An address is no server name (RFC 6066), but the certificate is still checked against it.
					host: server.tlsName || server.hostname,
					...(server.tlsName === "" ? {} : { servername: server.tlsName }),
					...(tls?.ca === undefined ? {} : { ca: tls.ca }),
					...(tls?.cert === undefined ? {} : { cert: tls.cert }),
					...(tls?.key === undefined ? {} : { key: tls.key }),
					rejectUnauthorized: true,
				},
				() => {
					// Asserted again, because everything rests on it.
					if (socket.authorized) resolve();
					else reject(new OperatingError("nats_tls_untrusted", "The server's certificate is not trusted", { cause: socket.authorizationError }));
				},
			);
			this.#socket = socket;
			this.#attach(socket, reject);
		});
	}

	#follow(): void {
		this.#socket?.on("data", (frame: Uint8Array) => {
			this.#frames.push(frame);
			this.#wake?.();
		});
	}

	#attach(socket: Socket, reject: (error: Error) => void): void {
		let failure: Error | undefined;
		socket.on("error", (error) => {
			failure = error;
			reject(error);
			this.#end(error);
		});
		socket.on("close", () => {
			const error = failure ?? this.closeError ?? new OperatingError("nats_closed", "The server closed the connection");
			reject(error);
			this.#end(error);
		});
	}

	#end(error: Error | undefined): void {
		if (this.#done) return;
		this.#done = true;
		if (error !== undefined) this.closeError = error;
		// The order matters: the reset has to reach the socket while it is still open.
		this.#raw?.resetAndDestroy();
		if (this.#socket !== this.#raw) this.#socket?.destroy();
		this.#wake?.();
		this.#closed.resolve(error);
	}
}

function parseGreeting(line: string): Record<string, unknown> | undefined {
	if (!/^INFO\s+\{/i.test(line)) return undefined;
	try {
		const value: unknown = JSON.parse(line.slice(line.indexOf("{")));
		return typeof value === "object" && value !== null ? { ...value } : undefined;
	} catch {
		// Not JSON: the caller says that this is no NATS server.
		return undefined;
	}
}
