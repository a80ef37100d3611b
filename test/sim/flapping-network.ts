import { OperatingError } from "../../src/base/errors.ts";
import type { OutgoingMessage } from "../../src/sinks/nats/epoch.ts";
import type { LinkConnection, OpenConnection } from "../../src/sinks/nats/link.ts";
import type { ModelReply, ModelStream } from "./model-stream.ts";
import type { Seeded } from "./seeded.ts";
import type { SimClock } from "./sim-clock.ts";

/** Milliseconds of a way over the network, at most. */
const wayMax = 20;

/** One stay of the network in a state. */
type Weather = "up" | "refuses" | "hangs";

/**
 * A network with one server behind it, which goes down and up every few seconds and now and then stays away for minutes. Where it goes down, connections are
 * reset or just fall silent; new ones are refused, or hang, or end in their login. What was on its way arrives late, or never.
 */
export class FlappingNetwork {
	/** Bytes of a message that the server takes, for connections from now on. */
	payloadBytesMax = 1024 * 1024;
	/** Times that it went down. */
	flaps = 0;
	/** Connections that stood. */
	connections = 0;
	/** Connections that stand, and most at once. */
	standing = 0;
	standingMax = 0;
	/** Longest time from the end of an attempt or a connection to the next attempt, in milliseconds. */
	waitMax = 0;
	readonly #clock: SimClock;
	readonly #random: Seeded;
	readonly #stream: ModelStream;
	readonly #tell: (line: string) => void;
	/** Milliseconds since the start when the last attempt or connection ended; undefined while there is one. */
	#freeSince: number | undefined = 0;
	#weather: Weather = "up";
	#current: ModelConnection | undefined;

	constructor(clock: SimClock, random: Seeded, stream: ModelStream, tell: (line: string) => void) {
		this.#clock = clock;
		this.#random = random;
		this.#stream = stream;
		this.#tell = tell;
	}

	/** Flaps until `end`, and is up from then on. */
	async flap(end: number): Promise<void> {
		const stay = (duration: number) => this.#clock.sleep(Math.min(duration, Math.max(0, end - this.#clock.monotonic())));
		while (this.#clock.monotonic() < end) {
			await stay(1000 + this.#random.below(6000));
			this.flaps++;
			this.#weather = this.#random.chance(0.5) ? "refuses" : "hangs";
			const isSilent = this.#random.chance(0.5);
			this.#tell(`network: down, ${isSilent ? "in silence" : "with a reset"}; it ${this.#weather}`);
			if (!isSilent) this.#current?.reset(new OperatingError("nats_closed", "The network went down"));
			const isLong = this.#random.chance(0.01);
			await stay(isLong ? 120_000 + this.#random.below(120_000) : 500 + this.#random.below(5000));
			this.#weather = "up";
			this.#tell("network: up");
		}
	}

	/** A way over the network, either of it; resolves with whether it led anywhere. */
	async travel(): Promise<boolean> {
		await this.#clock.sleep(1 + this.#random.below(wayMax));
		return this.#weather === "up" && !this.#random.chance(0.002);
	}

	readonly open: OpenConnection = async (_server, _options, timing, { signal }) => {
		this.waitMax = Math.max(this.waitMax, this.#clock.monotonic() - (this.#freeSince ?? this.#clock.monotonic()));
		this.#freeSince = undefined;
		try {
			if (this.#weather === "hangs") await this.#clock.sleep(timing.connectMs, signal);
			if (!(await this.travel())) throw new OperatingError("nats_refused", "There is no way there");
			const connection = new ModelConnection(this.#clock, this, this.#stream);
			const stop = () => connection.reset(signal.reason);
			signal.addEventListener("abort", stop, { once: true });
			void this.#follow(connection).then(() => signal.removeEventListener("abort", stop));
			return connection;
		} catch (error) {
			this.#freeSince = this.#clock.monotonic();
			throw error;
		}
	};

	async #follow(connection: ModelConnection): Promise<void> {
		this.connections++;
		this.#current = connection;
		this.standingMax = Math.max(this.standingMax, ++this.standing);
		await connection.ended;
		this.standing--;
		this.#freeSince = this.#clock.monotonic();
	}
}

/** A connection to the model stream; the clock's sleeps are its only timers. */
class ModelConnection implements LinkConnection {
	readonly pendingBytes = 0;
	readonly payloadBytesMax: number;
	readonly ended: Promise<Error>;
	readonly #end = Promise.withResolvers<Error>();
	readonly #over = new AbortController();
	readonly #clock: SimClock;
	readonly #network: FlappingNetwork;
	readonly #stream: ModelStream;

	constructor(clock: SimClock, network: FlappingNetwork, stream: ModelStream) {
		this.#clock = clock;
		this.#network = network;
		this.#stream = stream;
		this.payloadBytesMax = network.payloadBytesMax;
		this.ended = this.#end.promise;
	}

	get alive(): boolean {
		return !this.#over.signal.aborted;
	}

	reset(reason: Error): void {
		this.#over.abort(reason);
		this.#end.resolve(reason);
	}

	async ensureStream() {
		await this.#ask(() => undefined, 5000);
		return { messageBytesMax: Number.POSITIVE_INFINITY, differences: [], created: false };
	}

	async lastBatch() {
		return await this.#ask(() => this.#stream.messages.at(-1), 5000);
	}

	async isRemoved(_stream: string, streamSequence: number) {
		return await this.#ask(() => !this.#stream.messages.some((message) => message.streamSequence === streamSequence), 5000);
	}

	async request(_subject: string, { headers, body }: OutgoingMessage, waitMs: number): Promise<ModelReply> {
		const copies = [headers.slice(), body.slice()] as const;
		return await this.#ask(() => this.#stream.take(...copies, this.#clock.monotonic()), waitMs);
	}

	publish(): void {
		throw new Error("A lane of JetStream awaits its acknowledgements");
	}

	async flush(waitMs: number): Promise<void> {
		await this.#ask(() => undefined, waitMs);
	}

	/** There and back, as long as the connection stands; what has left arrives all the same. A way that leads nowhere ends in silence. */
	async #ask<T>(work: () => T, waitMs: number): Promise<T> {
		const { signal } = this.#over;
		if (!this.alive) throw signal.reason;
		const answer = this.#network.travel().then(async (arrives) => {
			if (!arrives) return undefined;
			const value = work();
			return (await this.#network.travel()) ? { value } : undefined;
		});
		const found = await Promise.race([answer, this.#end.promise]);
		if (found instanceof Error) throw found;
		if (found !== undefined) return found.value;
		await this.#clock.sleep(waitMs, signal);
		throw new OperatingError("nats_timeout", "No answer");
	}
}
