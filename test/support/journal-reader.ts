import * as v from "valibot";
import { ReadyDecoder } from "../../src/collectors/ready-record.ts";
import { JournalCollector } from "../../src/collectors/systemd/collector.ts";
import { systemdConfigSchema } from "../../src/collectors/systemd/config.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { Memory } from "../../src/platform/ffi/memory.ts";
import { RingReader } from "../../src/ring/reader.ts";
import { createRing } from "../../src/ring/ring.ts";
import { RingProducer } from "../../src/ring/writer.ts";
import { createLog, type LogEntry } from "../../src/telemetry/log.ts";
import { TestCollector, type TestEvent } from "./test-collector.ts";
import { waitUntil } from "./wait-until.ts";

const headerBytes = 4096;

/** How a reader differs from one that reads everything from the head. */
export interface JournalReaderOptions {
	/** Keys of `collectors.systemd.config`. */
	readonly config?: Readonly<Record<string, unknown>>;
	readonly position?: string;
	/** Unit whose entries are the reader's own. */
	readonly ownUnit?: string;
	/** Bytes of the ring, a power of two. */
	readonly ringBytes?: number;
}

/** The journal collector with its ring and decoder in this process: for journals that are whole, since a truncated one kills its reader. */
export class JournalReader implements Disposable {
	readonly collector: JournalCollector;
	readonly log: LogEntry[] = [];
	readonly #sink = new TestCollector();
	readonly #producer: RingProducer;
	readonly #reader: RingReader;
	readonly #decoder = new ReadyDecoder();
	readonly #position: string | undefined;
	/** Cursor of the last record drained, as a lane would save it; "" for none. */
	cursor = "";
	/** The position that comes with each event so far. */
	readonly cursors: string[] = [];

	/** Opens nothing yet. */
	constructor(path: string, options: JournalReaderOptions = {}) {
		const ringBytes = options.ringBytes ?? 1 << 22;
		const memory = Memory.allocate(headerBytes + ringBytes);
		createRing(memory, [ringBytes]);
		this.#producer = new RingProducer(memory);
		this.#reader = new RingReader(memory);
		this.#position = options.position;
		const config = v.parse(systemdConfigSchema, { units: [], start: "head", poll_interval: "1ms", path, ...options.config });
		this.collector = new JournalCollector(config, options.ownUnit ?? "nobody-of.service");
	}

	/** Opens the journal. Throws as the collector does. */
	start(): this {
		const log = createLog("debug", "systemd", (entry) => this.log.push(entry));
		const identity = { cluster: "default", node: "test" };
		this.collector.start({ writer: this.#producer.writer(0), log, identity, position: this.#position });
		return this;
	}

	/** One poll, and what it found as events. The number of records moved. */
	poll(): number {
		const moved = this.collector.poll();
		this.#producer.flush();
		this.drain();
		return moved;
	}

	/** Takes what the ring holds. */
	drain(): void {
		const decoder = this.#decoder;
		this.#sink.drain(this.#reader, {
			get cursorOffset() {
				return decoder.cursorOffset;
			},
			get cursorLength() {
				return decoder.cursorLength;
			},
			decode: (record, event) => {
				const decoded = decoder.decode(record, event);
				const { bytes } = record.memory;
				this.cursor = Buffer.from(bytes.subarray(decoder.cursorOffset, decoder.cursorOffset + decoder.cursorLength)).toString("latin1");
				if (decoded === "event") this.cursors.push(this.cursor);
				return decoded;
			},
		});
	}

	/** Polls without draining, as with a consumer that stands still. */
	pollOnly(): number {
		const moved = this.collector.poll();
		this.#producer.flush();
		return moved;
	}

	/** Every event so far. */
	get events(): readonly TestEvent[] {
		return this.#sink.events;
	}

	/** TAPIO_SEQ of every entry so far that has one: journald itself says something now and then. */
	get numbers(): number[] {
		return this.#sink.events.flatMap(({ data }) => fieldOf(data.raw, "TAPIO_SEQ") ?? []).map(Number);
	}

	/** Attributes of every gap so far. */
	get gaps(): readonly (Readonly<Record<string, unknown>> | undefined)[] {
		return this.#sink.ofType("tapio.systemd.gap").map(({ data }) => data.attributes);
	}

	/** A counter of the ring, by its place in the collector's definition plus two. */
	counter(index: number): number {
		return this.#reader.counter(0, index);
	}

	/** Polls until the journal has nothing more for now, looking a few times for changed files. */
	readAll(): this {
		for (let quiet = 0; quiet < 5; ) quiet = this.poll() > 0 ? 0 : quiet + 1;
		return this;
	}

	/** Polls until `condition` holds. */
	async until(what: string, condition: () => boolean, deadline?: number): Promise<this> {
		await waitUntil(
			what,
			() => {
				this.poll();
				return condition();
			},
			deadline,
		);
		return this;
	}

	/** Polls as its host does, resting where there was nothing, until `condition` holds. */
	async follow(what: string, condition: () => boolean, deadline = 20_000): Promise<this> {
		const end = systemClock.monotonic() + deadline;
		while (!condition()) {
			if (systemClock.monotonic() > end) throw new Error(`Followed for ${deadline} ms in vain until ${what}`);
			if (this.poll() === 0) await systemClock.sleep(this.collector.pollInterval);
		}
		return this;
	}

	[Symbol.dispose](): void {
		this.collector.stop();
	}
}

/** A field of a raw entry. */
export function fieldOf(raw: unknown, name: string): unknown {
	return typeof raw === "object" && raw !== null ? Reflect.get(raw, name) : undefined;
}
