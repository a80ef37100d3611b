import { assert } from "../../src/base/assert.ts";
import type { Collector } from "../../src/collectors/collector.ts";
import { createKernelCollector, type KernelCollectorOptions } from "../../src/collectors/kernel/collector.ts";
import type { KernelConfig } from "../../src/collectors/kernel/config.ts";
import { KernelDecoder } from "../../src/collectors/kernel/decoder.ts";
import { EventWriter } from "../../src/event/event-writer.ts";
import { Memory } from "../../src/platform/ffi/memory.ts";
import { headerBytes } from "../../src/ring/layout.ts";
import { RingReader } from "../../src/ring/reader.ts";
import { createRing } from "../../src/ring/ring.ts";
import { counterReceived, counterRingFull, RingProducer } from "../../src/ring/writer.ts";
import { silentLog } from "../../src/telemetry/log.ts";

/** What everything on is. */
export const kernelConfig: KernelConfig = {
	enable_ebpf: true,
	monitor_configmaps: false,
	monitor_secrets: false,
	redact_arguments: true,
	events: { exec: true, exit: true, fork: true },
};

/** An event as a receiver reads it. */
export interface KernelEvent {
	readonly id: string;
	readonly type: string;
	readonly time: string;
	readonly subject?: string;
	readonly sequence: string;
	readonly severitytext: string;
	readonly data: {
		readonly attributes: Readonly<Record<string, unknown>>;
		readonly altered?: readonly { readonly field: string; readonly reason: string; readonly bytes?: number }[];
	};
}

const eventBytesMax = 64 * 1024;

/** The collector with a ring and a decoder of its own, all on one thread: what it collects can be read as events. */
export class KernelHarness implements Disposable {
	readonly collector: Collector;
	readonly events: KernelEvent[] = [];
	/** Events that have been decoded, kept or not. */
	decoded = 0;
	/** Called for each record before it is decoded. */
	onRecord: ((record: RingReader) => void) | undefined;
	/** False: events are counted and not kept. */
	keep = true;
	readonly #producer: RingProducer;
	readonly #reader: RingReader;
	readonly #decoder: KernelDecoder;
	readonly #writer = new EventWriter(Memory.allocate(eventBytesMax));

	/** Opens nothing until `start`. `quota` is the bytes of the agent's ring. */
	constructor(options: KernelCollectorOptions = {}, config: Partial<KernelConfig> = {}, quota = 16 * 1024 * 1024) {
		const memory = Memory.allocate(headerBytes + quota);
		createRing(memory, [quota]);
		this.#producer = new RingProducer(memory);
		this.#reader = new RingReader(memory);
		const complete = { ...kernelConfig, ...config };
		this.collector = createKernelCollector(complete, options);
		const identity = { cluster: "test", node: "node", bootId: "boot", runId: "run" };
		this.#decoder = new KernelDecoder(identity, { redactArguments: complete.redact_arguments });
	}

	/** Starts the collector. Throws what it throws. */
	start(): this {
		void this.collector.start({ writer: this.#producer.writer(0), log: silentLog, identity: { cluster: "test", node: "node" }, position: undefined });
		return this;
	}

	/** Polls until nothing is ready, and returns how many records that were. */
	poll(): number {
		let moved = 0;
		for (let batch = this.collector.poll(); batch > 0; batch = this.collector.poll()) {
			moved += batch;
			this.#producer.flush();
			this.read();
		}
		this.#producer.flush();
		this.read();
		return moved;
	}

	/** Stops the collector and reads what it left. */
	stop(): void {
		void this.collector.stop();
		this.#producer.flush();
		this.read();
	}

	/** A counter of the collector's ring. */
	counter(index: number): number {
		return this.#reader.counter(0, index);
	}

	/** Records that the collector offered, and those that found no room. */
	get ledger(): { readonly received: number; readonly dropped: number } {
		return { received: this.counter(counterReceived), dropped: this.counter(counterRingFull) };
	}

	/** Decodes what is in the ring. */
	read(): void {
		while (this.#reader.lease()) {
			this.onRecord?.(this.#reader);
			this.#writer.attach(this.#writer.memory, 0, eventBytesMax);
			this.#writer.sequence = ++this.decoded;
			const result = this.#decoder.decode(this.#reader, this.#writer);
			assert(result === "event", "Every record becomes an event");
			if (this.keep) this.events.push(JSON.parse(Buffer.from(this.#writer.memory.bytes.subarray(0, this.#writer.position)).toString()));
		}
		this.#reader.commit();
	}

	/** Events of one type. */
	ofType(type: string): KernelEvent[] {
		return this.events.filter((event) => event.type === type);
	}

	[Symbol.dispose](): void {
		void this.collector.stop();
	}
}
