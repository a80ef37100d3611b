import { bytes, milliseconds } from "../../src/base/units.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { Memory } from "../../src/platform/ffi/memory.ts";
import type { NatsSinkOptions, NatsStreamOptions } from "../../src/sinks/nats/options.ts";
import { createNatsSink } from "../../src/sinks/nats/sink.ts";
import type { Batch, LaneIdentity, LaneStart, Sink, SinkLane } from "../../src/sinks/sink.ts";
import { createLog, type LogEntry } from "../../src/telemetry/log.ts";
import type { ReadMessage } from "./nats-server.ts";
import { waitUntil } from "./wait-until.ts";

/** What tests of the sink set: everything else is as in production, with short waits. */
export type SinkOverrides = Partial<Omit<NatsSinkOptions, "jetstream">> & { readonly jetstream?: Partial<NatsStreamOptions> };

/** Options of a sink for a server of a test. */
export function sinkOptions(url: string, overrides: SinkOverrides = {}): NatsSinkOptions {
	const { jetstream, timing, ...rest } = overrides;
	return {
		urls: [url],
		cluster: "test",
		node: "node-1",
		subject: "tapio.events",
		authentication: { kind: "none" },
		maxReconnects: 5,
		workers: 4,
		compression: "none",
		batchBytes: bytes(512 * 1024),
		...rest,
		jetstream: {
			enabled: true,
			stream: "TAPIO",
			manage: true,
			replicas: 1,
			maxAgeMs: milliseconds(3_600_000),
			maxBytes: bytes(512 * 1024 * 1024),
			duplicateWindowMs: milliseconds(120_000),
			domain: "",
			...jetstream,
		},
		timing: { connectMs: 1000, pingMs: 500, requestMs: 1000, acknowledgeMs: 1000, backoffMinMs: 10, backoffMaxMs: 100, ...timing },
	};
}

/** A sink of one test, stopped with it. */
export interface TestSink extends AsyncDisposable {
	readonly sink: Sink;
	readonly log: readonly LogEntry[];
	/** Aborts what waits. */
	readonly abort: AbortController;
	/** An opened lane. */
	open(identity?: Partial<LaneIdentity>, start?: Partial<LaneStart>): Promise<SinkLane>;
	/** Waits until health says so. */
	healthy(check: (status: string, message: string) => boolean): Promise<string>;
}

/** Starts a sink. */
export function startSink(options: NatsSinkOptions): TestSink {
	const log: LogEntry[] = [];
	const sink = createNatsSink(options, { clock: systemClock, log: createLog("debug", "nats", (entry) => log.push(entry)) });
	const abort = new AbortController();
	void sink.start();
	return {
		sink,
		log,
		abort,
		async open(identity = {}, start = {}) {
			const lane = sink.lane({ ...laneIdentity, ...identity });
			await lane.open({ batch: 0, cursor: "", sequence: 0, fresh: true, ...start }, abort.signal);
			return lane;
		},
		async healthy(check) {
			const now = () => sink.health();
			try {
				await waitUntil("health says so", () => check(now().status, now().message), 15_000);
			} catch (cause) {
				throw new Error(`Health stays ${JSON.stringify(now())}`, { cause });
			}
			return now().message;
		},
		async [Symbol.asyncDispose]() {
			abort.abort();
			await sink.stop();
		},
	};
}

/** The lane of most tests. */
export const laneIdentity: LaneIdentity = { collector: "systemd", id: "0a1b2c", cluster: "test", node: "node-1" };

/** Events of a test batch. */
export const eventsPerBatch = 5;

/** Batch `number` of a source that counts: events `(number - 1) * 5 + 1` and the four behind it, padded to `size` bytes. */
export function batchOf(number: number, size = 0): Batch {
	const first = (number - 1) * eventsPerBatch + 1;
	const events = Array.from({ length: eventsPerBatch }, (_, index) => ({
		sequence: first + index,
		padding: "x".repeat(Math.floor(size / eventsPerBatch)),
	}));
	const text = new TextEncoder().encode(JSON.stringify(events));
	const memory = Memory.allocate(text.length);
	memory.bytes.set(text);
	const lastSequence = first + eventsPerBatch - 1;
	return { number, memory, offset: 0, length: text.length, count: eventsPerBatch, lastSequence, lastCursor: `s=1;i=${lastSequence}`, run: 0 };
}

/** Where a lane stands behind `batchOf(number)`. */
export function positionOf(number: number): { batch: number; cursor: string; sequence: number; run?: number } {
	const sequence = number * eventsPerBatch;
	return number === 0 ? { batch: 0, cursor: "", sequence: 0 } : { batch: number, cursor: `s=1;i=${sequence}`, sequence, run: 0 };
}

/** Sequences of all events in what was read back, in order, and what is wrong with ids and numbers. */
export function readEvents(messages: readonly ReadMessage[]): { readonly sequences: number[]; readonly faults: string[] } {
	const sequences: number[] = [];
	const faults: string[] = [];
	let last = 0;
	for (const { headers, body } of messages) {
		const number = Number(headers.get("Tapio-Batch"));
		if (number !== last + 1) faults.push(`batch ${number} behind ${last}`);
		last = number;
		if (headers.get("Nats-Msg-Id") !== `${headers.get("Tapio-Lane")}-${number}`) faults.push(`id ${headers.get("Nats-Msg-Id")} of batch ${number}`);
		const raw = headers.get("Content-Encoding") === "zstd" ? Bun.zstdDecompressSync(body) : body;
		const events: unknown = JSON.parse(new TextDecoder().decode(raw));
		if (!Array.isArray(events) || Number(headers.get("Tapio-Count")) !== events.length) faults.push(`count of batch ${number}`);
		for (const event of Array.isArray(events) ? events : []) sequences.push(Number(event.sequence));
	}
	return { sequences, faults };
}

/** 1 to `count`. */
export function upTo(count: number): number[] {
	return Array.from({ length: count }, (_, index) => index + 1);
}
