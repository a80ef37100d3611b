import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import { type TemporaryDirectory, temporaryDirectory } from "./temporary-directory.ts";
import { waitUntil } from "./wait-until.ts";

/** How a server for a test differs from a plain one with JetStream on a free loopback port. */
export interface NatsServerOptions {
	/** Blocks of the configuration file: `authorization {…}`, `tls {…}`, `accounts {…}`. */
	readonly config?: string;
	/** false: no JetStream. */
	readonly jetstream?: boolean;
	/** Bytes. */
	readonly maxPayload?: number;
	/** false: the server is not yet started, and its port is free until `start`. */
	readonly started?: boolean;
}

/** One message of a stream, read back. */
export interface ReadMessage {
	readonly sequence: number;
	readonly subject: string;
	readonly headers: ReadonlyMap<string, string>;
	readonly body: Uint8Array;
}

const startMs = 10_000;

/** A real nats-server of one test: its own folder, its own port, gone with the test. */
export class NatsServer implements AsyncDisposable {
	readonly directory: string;
	readonly #folder: TemporaryDirectory;
	readonly #options: NatsServerOptions;
	#port = 0;
	#process: Bun.Subprocess | undefined;
	#config: string | undefined;

	private constructor(options: NatsServerOptions) {
		this.#folder = temporaryDirectory("nats");
		this.directory = this.#folder.path;
		this.#options = options;
		this.#config = options.config;
	}

	/** Starts a server. Rejects with its log where it does not come up. */
	static async start(options: NatsServerOptions = {}): Promise<NatsServer> {
		const server = new NatsServer(options);
		await server.start();
		if (options.started === false) await server.kill();
		return server;
	}

	get port(): number {
		return this.#port;
	}

	get url(): string {
		return `nats://127.0.0.1:${this.#port}`;
	}

	get pid(): number {
		return this.#process?.pid ?? 0;
	}

	/** What the server wrote. */
	get log(): string {
		const path = join(this.directory, "log");
		return existsSync(path) ? readFileSync(path, "utf8") : "";
	}

	/** Starts it again after `kill`, on the same port, perhaps with other blocks of configuration and another limit. */
	async start(config?: string, options: { readonly maxPayload?: number } = {}): Promise<void> {
		this.#config = config ?? this.#config;
		this.#write(options.maxPayload);
		this.#process = Bun.spawn(["nats-server", "-c", join(this.directory, "nats.conf")], { stdout: "ignore", stderr: "ignore" });
		const ports = join(this.directory, `nats-server_${this.#process.pid}.ports`);
		try {
			await waitUntil("nats-server names its port", () => existsSync(ports) && readFileSync(ports, "utf8").trim().endsWith("}"), startMs);
		} catch (cause) {
			throw new Error(`nats-server did not start:\n${this.log}`, { cause });
		}
		const written: unknown = JSON.parse(readFileSync(ports, "utf8"));
		const nats: unknown = typeof written === "object" && written !== null && "nats" in written ? written.nats : undefined;
		const first: unknown = Array.isArray(nats) ? nats[0] : undefined;
		this.#port = Number(/:(\d+)$/.exec(String(first))?.[1]);
		if (!(this.#port > 0)) throw new Error(`nats-server named no port: ${JSON.stringify(written)}`);
	}

	/** Writes new blocks of configuration and has the server read them. */
	reload(config: string, options: { readonly maxPayload?: number } = {}): void {
		this.#config = config;
		this.#write(options.maxPayload);
		this.signal("SIGHUP");
	}

	/** Ends it and waits until it is gone. */
	async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
		const process = this.#process;
		if (process === undefined) return;
		this.#process = undefined;
		process.kill("SIGCONT");
		process.kill(signal);
		await process.exited;
		rmSync(join(this.directory, `nats-server_${process.pid}.ports`), { force: true });
	}

	/** SIGSTOP holds it, SIGCONT lets it go on. */
	signal(signal: NodeJS.Signals): void {
		this.#process?.kill(signal);
	}

	/** A client of the library's own making, to look at the server from outside. */
	async client(options: Parameters<typeof connect>[0] = {}): Promise<NatsConnection> {
		return await connect({ servers: this.url, reconnect: false, ...options });
	}

	/** Every message of a stream, oldest first. */
	async read(stream: string, options: Parameters<typeof connect>[0] = {}): Promise<ReadMessage[]> {
		await using client = await this.client(options);
		const manager = await jetstreamManager(client, { checkAPI: false });
		const { first_seq: first, last_seq: last, messages } = (await manager.streams.info(stream)).state;
		const found: ReadMessage[] = [];
		for (let sequence = first; messages > 0 && sequence <= last; sequence++) {
			const message = await manager.streams.getMessage(stream, { seq: sequence });
			if (message === null) continue;
			const headers = new Map(message.header.keys().map((name) => [name, message.header.get(name)]));
			found.push({ sequence, subject: message.subject, headers, body: message.data });
		}
		return found;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.kill();
		this.#folder[Symbol.dispose]();
	}

	#write(maxPayload = this.#options.maxPayload): void {
		const lines = [
			`listen: "127.0.0.1:${this.#port === 0 ? -1 : this.#port}"`,
			`ports_file_dir: "${this.directory}"`,
			`logfile: "${join(this.directory, "log")}"`,
		];
		if (maxPayload !== undefined) lines.push(`max_payload: ${maxPayload}`);
		if (this.#options.jetstream !== false) lines.push(`jetstream { store_dir: "${join(this.directory, "js")}", max_file: 4GB }`);
		lines.push(this.#config ?? "");
		writeFileSync(join(this.directory, "nats.conf"), lines.join("\n"));
	}
}
