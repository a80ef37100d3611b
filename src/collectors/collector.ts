import type { GenericSchema } from "valibot";
import type { EventWriter, NodeIdentity } from "../event/event-writer.ts";
import type { RingReader } from "../ring/reader.ts";
import type { RecordWriter } from "../ring/writer.ts";
import type { Health } from "../telemetry/health.ts";
import type { Log } from "../telemetry/log.ts";

/** What a collector can observe, as bits; a collector's set is what actually opened, not what was asked for. */
export const sourceCapabilities = {
	process: 1 << 0,
	network: 1 << 1,
	filesystem: 1 << 2,
	performance: 1 << 3,
	realtime: 1 << 4,
	kernelLevel: 1 << 5,
	systemWide: 1 << 6,
} as const;

/**
 * What happens when downstream is slow or away. replayable: stop reading, catch up from the cursor; durable: the spool first;
 * live: drop the newest, counted.
 */
export type Delivery = "replayable" | "durable" | "live";

/**
 * What a host gives a collector at its start. `position` is the cursor of the last record that downstream has, undefined where there is none;
 * live collectors ignore it.
 */
export interface CollectorContext {
	readonly writer: RecordWriter;
	readonly log: Log;
	/** Who this agent is, for collectors that format their events themselves. */
	readonly identity: NodeIdentity;
	readonly position: string | undefined;
}

/** What a collector says about itself; the host adds what the ring counted. */
export interface CollectorStatistics {
	/** By name; every value is a count since start. */
	readonly [name: string]: number;
}

/**
 * One source of records. It runs on one thread, the host's, which calls `poll` in a loop and sleeps between calls for at most `pollInterval`
 * milliseconds or until `descriptor` is readable. A collector emits what the source said and parses nothing for meaning.
 */
export interface Collector {
	readonly name: string;
	/** Bits of {@link sourceCapabilities} for what is open now; 0 before start and after stop. */
	capabilities(): number;
	/**
	 * Opens the source. Throws OperatingError: "already_started" on a second start, others where nothing at all could be opened, with the reason and
	 * the next step. What opened only in part shows in `health`.
	 */
	start(context: CollectorContext): void | Promise<void>;
	/** Moves what is ready into the writer and returns how many records that were. Bounded: at most some milliseconds. 0 where nothing was ready. */
	poll(): number;
	/** Longest sleep after a poll that found nothing, in milliseconds. */
	readonly pollInterval: number;
	/** A descriptor whose readability ends the sleep early, or -1. */
	readonly descriptor: number;
	/** Closes everything. Harmless twice and before start; afterwards start works again. */
	stop(): void | Promise<void>;
	health(): Health;
	statistics(): CollectorStatistics;
}

/** How a counter of the ring enters the ledger. */
export interface CounterDefinition {
	/** The reason, in snake case. */
	readonly name: string;
	/**
	 * dropped: records that should have become events and did not; discarded: left out on purpose, by configuration or as repetition: neither is
	 * submitted, both are part of what was received. lost: never received, only known by its number (the kernel's ring was full, files were vacuumed
	 * away). derived: submitted records that the collector made itself, such as gaps.
	 */
	readonly kind: "dropped" | "discarded" | "lost" | "derived";
	/** One sentence for the documentation. */
	readonly description: string;
}

/** What a record became: an event, nothing for want of room, or nothing because it carries no event. */
export type Decoded = "event" | "full" | "none";

/** Turns the records of one collector into events, in the data worker. */
export interface Decoder {
	/**
	 * Writes the event of the leased record: `begin` to `end`. "full" where `end` returned false: the same record comes again with more room.
	 * "none" where the record carries a position and no event. A record is never malformed: both sides are one build.
	 */
	decode(record: RingReader, event: EventWriter): Decoded;
	/**
	 * Where the cursor of the record last decoded stands in the ring's memory, as plain ASCII; length 0 for live collectors. Valid until the commit.
	 */
	readonly cursorOffset: number;
	readonly cursorLength: number;
}

/** One type of event that a collector emits, for the reference. */
export interface EventTypeDefinition {
	/** As in `tapio.process.exec`. */
	readonly type: string;
	readonly description: string;
}

/** Everything the rest of the agent knows about a collector: one line of the registry. */
export interface CollectorDefinition<Config = unknown> {
	readonly name: string;
	/** One sentence for help and documentation. */
	readonly summary: string;
	readonly delivery: Delivery;
	/** child: a process of its own; worker: the kernel worker's thread; io: the thread of the plain TypeScript collectors. */
	readonly host: "child" | "worker" | "io";
	/** Checks and completes the `config` section; every key documented by `description`. */
	readonly config: GenericSchema<unknown, Config>;
	/** Counters from `counterOwn` on, in order. */
	readonly counters: readonly CounterDefinition[];
	readonly events: readonly EventTypeDefinition[];
	/** Makes the collector, in its host. Opens nothing. */
	create(config: Config): Promise<Collector>;
	/** Makes the decoder, in the data worker. `runId` is unique per start of the agent, for the ids of live events. */
	createDecoder(config: Config, identity: NodeIdentity, runId: string): Promise<Decoder>;
	/** Can this machine give it? For the start without a configuration file: undefined for yes, else the reason in one sentence. */
	probe(config: Config): Promise<string | undefined>;
}
