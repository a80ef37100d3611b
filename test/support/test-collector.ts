import type { Decoder } from "../../src/collectors/collector.ts";
import { EventWriter } from "../../src/event/event-writer.ts";
import { Memory } from "../../src/platform/ffi/memory.ts";
import type { RingReader } from "../../src/ring/reader.ts";
import type { Batch, LaneIdentity, LanePosition, Sink, SinkLane } from "../../src/sinks/sink.ts";
import { waitUntil } from "./wait-until.ts";

/** An event as a test reads it. */
export interface TestEvent {
	readonly id: string;
	readonly source: string;
	readonly type: string;
	readonly time: string;
	readonly sequence: string;
	readonly subject?: string;
	readonly data: {
		readonly raw?: unknown;
		readonly metadata?: Readonly<Record<string, unknown>>;
		readonly attributes?: Readonly<Record<string, unknown>>;
	};
}

/** Bytes for one decoded event. */
const eventBytesMax = 1 << 20;

/** Gathers events for assertions: as a sink at the end of a pipeline, or directly from a ring through a decoder. */
export class TestCollector implements Sink {
	readonly name = "test";
	/** Every event so far, in the order of arrival over all lanes. */
	readonly events: TestEvent[] = [];
	/** Every batch so far. */
	readonly batches: { readonly lane: string; readonly number: number; readonly count: number; readonly cursor: string }[] = [];
	#gate: PromiseWithResolvers<void> | undefined;
	#stopping = new AbortController();

	start(): void {
		this.#stopping = new AbortController();
	}

	lane(identity: LaneIdentity): SinkLane {
		return {
			open: async ({ batch, cursor, sequence }) => ({ batch, cursor, sequence }),
			batchBytesMax: () => eventBytesMax,
			send: (batch, signal) => this.#take(identity, batch, signal),
		};
	}

	/** Sends wait from now on, as with a server that does not answer, until `release`. */
	hold(): void {
		this.#gate ??= Promise.withResolvers();
	}

	release(): void {
		this.#gate?.resolve();
		this.#gate = undefined;
	}

	health() {
		return { status: "healthy", message: "gathers events" } as const;
	}

	statistics() {
		return { batches: this.batches.length, events: this.events.length, bytes: 0, errors: 0, retries: 0 };
	}

	async stop(): Promise<void> {
		this.#stopping.abort();
	}

	/** Decodes what a ring holds now, and releases it. Returns how many events that were; positions are none. */
	drain(reader: RingReader, decoder: Decoder): number {
		const memory = Memory.allocate(eventBytesMax);
		const writer = new EventWriter(memory);
		let events = 0;
		while (reader.lease()) {
			writer.attach(memory, 0, eventBytesMax);
			writer.sequence = this.events.length + 1;
			const decoded = decoder.decode(reader, writer);
			if (decoded === "full") throw new Error(`An event does not fit into ${eventBytesMax} bytes`);
			if (decoded === "none") continue;
			this.events.push(JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(memory.bytes.subarray(0, writer.position))));
			events++;
		}
		reader.commit();
		return events;
	}

	/** Events of a type. */
	ofType(type: string): TestEvent[] {
		return this.events.filter((event) => event.type === type);
	}

	/** Resolves with the events once there are at least `count`; throws after `deadline` milliseconds. */
	async atLeast(count: number, deadline?: number): Promise<readonly TestEvent[]> {
		return await waitUntil(`there are ${count} events (now ${this.events.length})`, () => this.events.length >= count && this.events, deadline);
	}

	/** Throws where an id came twice, or where the sequence of a source does not rise by one from event to event. */
	assertOnceInOrder(): void {
		const ids = new Set<string>();
		const last = new Map<string, number>();
		for (const { id, source, sequence } of this.events) {
			if (ids.has(id)) throw new Error(`The event ${id} came twice`);
			ids.add(id);
			const before = last.get(source);
			if (before !== undefined && Number(sequence) !== before + 1) throw new Error(`${source}: ${sequence} came after ${before}`);
			last.set(source, Number(sequence));
		}
	}

	async #take(identity: LaneIdentity, batch: Batch, signal: AbortSignal): Promise<LanePosition> {
		const stopped = AbortSignal.any([signal, this.#stopping.signal]);
		stopped.throwIfAborted();
		if (this.#gate !== undefined)
			await Promise.race([this.#gate.promise, new Promise((_, reject) => stopped.addEventListener("abort", () => reject(stopped.reason)))]);
		const events: TestEvent[] = JSON.parse(
			new TextDecoder("utf-8", { fatal: true }).decode(batch.memory.bytes.subarray(batch.offset, batch.offset + batch.length)),
		);
		if (events.length !== batch.count) throw new Error(`Batch ${batch.number} says ${batch.count} events and holds ${events.length}`);
		this.events.push(...events);
		this.batches.push({ lane: identity.collector, number: batch.number, count: batch.count, cursor: batch.lastCursor });
		return { batch: batch.number, cursor: batch.lastCursor, sequence: batch.lastSequence };
	}
}
