import { assert } from "../base/assert.ts";
import { describeError, OperatingError } from "../base/errors.ts";
import { collectorDefinition } from "../collectors/registry.ts";
import { getCollectorConfig } from "../config/schema.ts";
import { openLaneState } from "../lane/lane-state.ts";
import { temporaryLaneState } from "../lane/temporary-lane-state.ts";
import { type Clock, resolvesWithin } from "../platform/clock.ts";
import { randomId } from "../platform/random.ts";
import { systemSpoolFiles } from "../platform/spool-files.ts";
import { systemStateFiles } from "../platform/state-files.ts";
import { runLater, runSoon } from "../platform/timers.ts";
import { RingReader } from "../ring/reader.ts";
import type { LaneIdentity, Sink, SinkLane } from "../sinks/sink.ts";
import { openSpool } from "../spool/open-spool.ts";
import type { SpoolLimits } from "../spool/record.ts";
import type { Health } from "../telemetry/health.ts";
import type { Ledger, LedgerAccount } from "../telemetry/ledger.ts";
import type { LaneStanding } from "../telemetry/ledger-history.ts";
import type { Log } from "../telemetry/log.ts";
import { type DrainedRing, drainRing } from "./drain.ts";
import { DrainRests } from "./drain-rests.ts";
import { LaneWriter } from "./lane-writer.ts";
import type { DataReport, DataWorkerOptions, RingHandle } from "./messages.ts";
import { RingAccount } from "./ring-account.ts";
import { openRingMemory } from "./ring-memory.ts";
import { SpooledLane } from "./spooled-lane.ts";

/** Time for the last acknowledgements after the sources stopped, beyond which what is open stays with its source. */
const flushPoll = 20;
/** Milliseconds for writing to disk what is left when the time to stop has run out. */
const spoolTimeout = 2000;

/** What the data plane tells its owner. */
export interface DataPlaneEvents {
	readonly laneOpen: (collector: string, position: string | undefined) => void;
	/** The host of the collector is to be ended, and started anew where {@link DataPlane.settle} then says. */
	readonly rewind: (collector: string, reason: string) => void;
	/** Whoever read the events has gone, and there is no other place for them. */
	readonly outputGone: () => void;
}

interface Lane {
	readonly collector: string;
	readonly writer: LaneWriter;
	/** Where its events wait on disk while the sink is away, for sources that cannot be read again. */
	readonly spooled: SpooledLane | undefined;
	/** Why they cannot. */
	readonly spoolFailure: string | undefined;
	failure: string | undefined;
}

/**
 * Rings, lanes and sinks: drains the rings into batches and the batches into the sinks. One thread, the data worker's; never blocks but for the
 * small writes of the lanes' state.
 */
export class DataPlane {
	readonly #options: DataWorkerOptions;
	readonly #sinks: readonly [Sink, ...Sink[]];
	readonly #clock: Clock;
	readonly #log: Log;
	readonly #events: DataPlaneEvents;
	readonly #definitionOf: typeof collectorDefinition;
	readonly #rings: DrainedRing[] = [];
	readonly #lanes: Lane[] = [];
	readonly #abort = new AbortController();
	#cancelTurn = () => {};
	readonly #rests = new DrainRests();
	#stopping = false;
	/** The sinks are closed. */
	#ended = false;

	constructor(
		options: DataWorkerOptions,
		sinks: readonly [Sink, ...Sink[]],
		clock: Clock,
		log: Log,
		events: DataPlaneEvents,
		definitionOf = collectorDefinition,
	) {
		this.#options = options;
		this.#sinks = sinks;
		this.#clock = clock;
		this.#log = log;
		this.#events = events;
		this.#definitionOf = definitionOf;
	}

	/** Starts the sinks, opens every lane and begins to drain. Throws OperatingError where the state folder cannot be used. */
	async start(): Promise<void> {
		for (const sink of this.#sinks) await sink.start();
		for (const handle of this.#options.rings) this.#rings.push(await this.#openRing(handle));
		for (const lane of this.#lanes) void this.#openLane(lane);
		this.#turn();
	}

	/** Drains what a producer left behind before it ended, closes its account, and says where each collector's successor goes on. */
	async settle(name: string): Promise<Readonly<Record<string, string | undefined>>> {
		const ring = this.#rings.find((candidate) => candidate.name === name);
		assert(ring !== undefined, "The ring is known");
		for (;;) {
			const { records, blocked } = drainRing(ring);
			if (records === 0 && !blocked) break;
			if (blocked) await this.#clock.sleep(flushPoll);
			// What is left stays in the ring, in flight: the account is not closed.
			if (this.#stopping && blocked) return {};
		}
		const positions: Record<string, string | undefined> = {};
		for (const { lane, account } of ring.collectors) {
			account.settle();
			lane.resume();
			positions[account.definition.name] = lane.cursor;
		}
		return positions;
	}

	/** The sources are stopped: drains, sends and awaits what is left, at most `timeout` milliseconds; closes the sinks. */
	async stop(timeout: number): Promise<void> {
		const inTime = await resolvesWithin(this.#clock, this.#finish(), timeout);
		this.#stopping = true;
		this.#cancelTurn();
		if (!inTime) this.#log.warn("Not everything was delivered before the time to stop ran out; sources that can be read again keep the rest.");
		this.#abort.abort(new OperatingError("stopped", "Stop the agent"));
		// What is in the hands of a lane with a spool goes to disk now.
		const spooled = this.#lanes.filter((lane) => lane.spooled !== undefined);
		await resolvesWithin(this.#clock, Promise.all(spooled.map(({ writer }) => writer.flush())), spoolTimeout);
		await Promise.all(this.#sinks.map((sink) => sink.stop()));
		await resolvesWithin(this.#clock, Promise.all(spooled.map((lane) => lane.spooled?.close())), spoolTimeout);
		this.#ended = true;
	}

	/** Accounts, and the state of sinks and lanes. */
	report(): DataReport {
		const ledger: Record<string, LedgerAccount> = {};
		for (const ring of this.#rings) {
			for (const { lane, account } of ring.collectors) {
				const { name } = account.definition;
				const spooled = this.#lanes.find(({ collector }) => collector === name)?.spooled;
				ledger[name] = account.account(lane, this.#ended, spooled?.account());
			}
		}
		const sinks: Record<string, Health> = {};
		const statistics: Record<string, Readonly<Record<string, number>>> = {};
		for (const sink of this.#sinks) {
			sinks[sink.name] = sink.health();
			statistics[sink.name] = { ...sink.statistics() };
		}
		const lanes: Record<string, Health> = {};
		const standings: Record<string, LaneStanding | undefined> = {};
		for (const lane of this.#lanes) {
			lanes[lane.collector] = laneHealth(lane);
			standings[lane.collector] = lane.writer.standing;
		}
		return { ledger: ledger satisfies Ledger, sinks, lanes, standings, statistics };
	}

	async #finish(): Promise<void> {
		for (;;) {
			let left = false;
			for (const ring of this.#rings) {
				const { records, blocked, stopped } = drainRing(ring);
				if (records > 0 || (blocked && !stopped)) left = true;
			}
			if (!left) break;
			await this.#clock.sleep(1);
		}
		await Promise.all(this.#lanes.filter(({ writer }) => writer.isOpen).map(({ writer }) => writer.flush()));
	}

	#turn = (): void => {
		if (this.#stopping) return;
		let records = 0;
		let share = 0;
		let cut = false;
		let due: number | undefined;
		for (const ring of this.#rings) {
			const turn = drainRing(ring);
			records += turn.records;
			share = Math.max(share, turn.share);
			cut ||= turn.cut;
		}
		for (const { writer, spooled } of this.#lanes) {
			writer.tick();
			spooled?.tick();
			due = earlier(due, writer.due);
		}
		this.#cancelTurn();
		// The sockets get their turn first; a blocked lane wakes the drain when it has room.
		const rest = this.#rests.next({ records, share, cut, due });
		this.#cancelTurn = rest === 0 ? runSoon(this.#turn) : runLater(rest, this.#turn);
	};

	async #openLane(lane: Lane): Promise<void> {
		try {
			const position = await lane.writer.open();
			this.#events.laneOpen(lane.collector, position);
		} catch (error) {
			if (this.#abort.signal.aborted) return;
			lane.failure = describeError(error);
			this.#log.error("A lane could not be opened.", { collector: lane.collector, error: lane.failure });
		}
	}

	async #openRing(handle: RingHandle): Promise<DrainedRing> {
		const reader = new RingReader(openRingMemory(handle.memory));
		const collectors: { lane: LaneWriter; account: RingAccount }[] = [];
		for (const [index, name] of handle.collectors.entries()) {
			const definition = this.#definitionOf(name);
			const lane = await this.#createLane(name);
			this.#lanes.push(lane);
			collectors.push({ lane: lane.writer, account: new RingAccount(definition, reader, index) });
		}
		return { name: handle.name, reader, collectors };
	}

	#laneState(directory: string | undefined, name: string) {
		if (directory === undefined) return temporaryLaneState(randomId());
		return openLaneState(directory, name, { files: systemStateFiles, log: this.#log.child(name), randomId });
	}

	/** The lane as the first sink has it, with a spool in front where what it does not take is gone for good. */
	#spooled(name: string, sink: SinkLane, id: string): Pick<Lane, "spooled" | "spoolFailure"> {
		const { config, stateDirectory } = this.#options;
		const isSpooled = this.#definitionOf(name).delivery !== "replayable" && config.orchestrator.nats.enabled;
		if (!isSpooled || stateDirectory === undefined) return { spooled: undefined, spoolFailure: undefined };
		const { max_bytes: maxBytes, max_age: age, fsync } = config.orchestrator.spool;
		const limits: SpoolLimits = { maxBytes, maxAge: age === 0 ? Number.POSITIVE_INFINITY : age, fsync: fsync === 0 ? "always" : fsync };
		const log = this.#log.child(name);
		try {
			const spool = openSpool(stateDirectory, { name, id }, limits, { files: systemSpoolFiles, log });
			return { spooled: new SpooledLane({ sink, spool, clock: this.#clock, log }), spoolFailure: undefined };
		} catch (error) {
			// Events go on without it: what the sink does not take waits in the ring, and is dropped and counted where that is full.
			const spoolFailure = describeError(error);
			log.error("There is no spool.", { error: spoolFailure });
			return { spooled: undefined, spoolFailure };
		}
	}

	async #createLane(name: string): Promise<Lane> {
		const { config, stateDirectory, runId } = this.#options;
		const { cluster, node, batch } = config.orchestrator;
		const definition = this.#definitionOf(name);
		const collectorConfig = getCollectorConfig(config, name);
		const state = this.#laneState(stateDirectory, name);
		const identity: LaneIdentity = { collector: name, id: state.id, cluster, node };
		const [first, ...others] = this.#sinks;
		const direct = first.lane(identity);
		const { spooled, spoolFailure } = this.#spooled(name, direct, state.id);
		const sinks: [SinkLane, ...SinkLane[]] = [spooled ?? direct, ...others.map((sink) => sink.lane(identity))];
		const writer = new LaneWriter({
			delivery: definition.delivery,
			decoder: await definition.createDecoder(collectorConfig, { cluster, node }, runId),
			state,
			sinks,
			batch: { eventsMax: batch.max_events, bytesMax: batch.max_bytes, delayMax: batch.max_delay },
			log: this.#log.child(name),
			configuration: Bun.hash(JSON.stringify([collectorConfig, batch.max_events, batch.max_bytes])).toString(16),
			clock: this.#clock,
			signal: this.#abort.signal,
			onRoom: () => this.#turn(),
			onRewind: (reason) => this.#events.rewind(name, reason),
			onStopped: (error) => {
				// Nobody looks any more: no defect and no loss that anybody would miss.
				if (error instanceof OperatingError && error.code === "output_gone") return this.#events.outputGone();
				const lane = this.#lanes.find((candidate) => candidate.collector === name);
				if (lane !== undefined) lane.failure = describeError(error);
				this.#log.error("A lane stopped.", { collector: name, error: describeError(error) });
			},
		});
		return { collector: name, writer, spooled, spoolFailure, failure: undefined };
	}
}

function earlier(one: number | undefined, other: number | undefined): number | undefined {
	return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}

function laneHealth(lane: Lane): Health {
	if (lane.failure !== undefined) return { status: "unhealthy", message: lane.failure };
	if (!lane.writer.isOpen) return { status: "degraded", message: "waits until the sink says where it stands" };
	const { stateFailure, notice } = lane.writer;
	const waiting = lane.spooled?.health();
	if (waiting !== undefined) return waiting;
	if (lane.spoolFailure !== undefined) return { status: "degraded", message: lane.spoolFailure };
	if (notice !== undefined) return { status: "degraded", message: notice };
	if (stateFailure !== undefined) return { status: "degraded", message: stateFailure };
	return { status: "healthy", message: "open" };
}
