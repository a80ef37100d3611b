/** A TCP proxy in front of a server, for faults that a server alone does not show. */
export interface NatsProxy extends Disposable {
	readonly url: string;
	/** What becomes of the bytes from now on. */
	set(mode: ProxyMode): void;
	/** Sends what was held on to the server, though the client may be gone: late bytes. */
	release(): void;
	/** Ends every connection of a client. What is held stays held. */
	cut(): void;
	/** Bytes that are held. */
	readonly held: number;
}

/**
 * `pass`: as they come. `mute`: answers of the server vanish. `hold`: what the client writes is held, and the connection to the server outlives that of the client.
 */
export type ProxyMode = "pass" | "mute" | "hold";

interface Pair {
	client: Bun.Socket<Pair> | undefined;
	server: Bun.Socket<Pair> | undefined;
	/** For the server, not yet written. */
	queue: Uint8Array[];
	/** For the client, not yet written. */
	back: Uint8Array[];
	holding: boolean;
}

/** Starts a proxy to a port of this machine. */
export async function startProxy(port: () => number): Promise<NatsProxy> {
	let mode: ProxyMode = "pass";
	const pairs = new Set<Pair>();
	const push = (pair: Pair) => {
		if (pair.holding) return;
		pair.queue = write(pair.server, pair.queue);
	};
	const listener = Bun.listen<Pair>({
		hostname: "127.0.0.1",
		port: 0,
		socket: {
			open(socket) {
				const pair: Pair = { client: socket, server: undefined, queue: [], back: [], holding: false };
				socket.data = pair;
				pairs.add(pair);
				void connect(pair, port()).catch(() => socket.terminate());
			},
			data(socket, chunk) {
				const pair = socket.data;
				if (mode === "hold") pair.holding = true;
				pair.queue.push(new Uint8Array(chunk));
				push(pair);
			},
			drain(socket) {
				socket.data.back = write(socket, socket.data.back);
			},
			close(socket) {
				const pair = socket.data;
				pair.client = undefined;
				if (!pair.holding) pair.server?.end();
			},
			error() {},
		},
	});
	async function connect(pair: Pair, to: number): Promise<void> {
		await Bun.connect<Pair>({
			hostname: "127.0.0.1",
			port: to,
			data: pair,
			socket: {
				open(socket) {
					pair.server = socket;
					push(pair);
				},
				data(_socket, chunk) {
					if (mode === "mute") return;
					pair.back.push(new Uint8Array(chunk));
					pair.back = write(pair.client, pair.back);
				},
				drain: () => push(pair),
				close() {
					pair.server = undefined;
					pairs.delete(pair);
					pair.client?.terminate();
				},
				error() {},
			},
		});
	}
	return {
		url: `nats://127.0.0.1:${listener.port}`,
		set(next) {
			mode = next;
		},
		release() {
			for (const pair of pairs) {
				pair.holding = false;
				push(pair);
			}
		},
		cut() {
			for (const pair of pairs) pair.client?.terminate();
		},
		get held() {
			let sum = 0;
			for (const pair of pairs) if (pair.holding) for (const chunk of pair.queue) sum += chunk.length;
			return sum;
		},
		[Symbol.dispose]() {
			listener.stop(true);
			for (const pair of pairs) {
				pair.client?.terminate();
				pair.server?.terminate();
			}
		},
	};
}

/** Writes what goes and returns the rest. */
function write(socket: Bun.Socket<Pair> | undefined, chunks: Uint8Array[]): Uint8Array[] {
	if (socket === undefined) return chunks;
	for (let index = 0; index < chunks.length; index++) {
		const chunk = chunks[index];
		if (chunk === undefined) continue;
		const written = Math.max(0, socket.write(chunk));
		if (written < chunk.length) return [chunk.subarray(written), ...chunks.slice(index + 1)];
	}
	return [];
}
