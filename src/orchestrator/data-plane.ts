import { assert, never, neverCounts } from "../base/assert.ts";
import { describeError, OperatingError } from "../base/errors.ts";
import { collectorDefinition } from "../collectors/registry.ts";
import { type Clock, resolvesWithin } from "../platform/clock.ts";
import { runLater, runSoon } from "../platform/timers.ts";
import { RingReader } from "../ring/reader.ts";
import type { Sink } from "../sinks/sink.ts";
import type { Health } from "../telemetry/health.ts";
import { imbalance, type Ledger, type LedgerAccount } from "../telemetry/ledger.ts";
import type { LaneStanding } from "../telemetry/ledger-history.ts";
import type { Log } from "../telemetry/log.ts";
import { createLane, type Lane, type LaneSurroundings, laneHealth } from "./create-lane.ts";
import { type DrainedCollector, type DrainedRing, drainRing } from "./drain.ts";
import { DrainRests } from "./drain-rests.ts";
import type { LaneWriter } from "./lane-writer.ts";
import type { DataReport, DataWorkerOptions, RingHandle } from "./messages.ts";
import { RingAccount } from "./ring-account.ts";
import { openRingMemory } from "./ring-memory.ts";

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

/** What a data plane works with, beside its options. */
export interface DataPlaneSurroundings extends LaneSurroundings {
	readonly events: DataPlaneEvents;
}

/**
 * Rings, lanes and sinks: drains the rings into batches and the batches into the sinks. One thread, the data worker's; never blocks but for the
 * small writes of the lanes' state.
 */
export class DataPlane {
	readonly #options: DataWorkerOptions;
	readonly #sinks: readonly [Sink, ...Sink[]];
	readonly #surroundings: DataPlaneSurroundings;
	readonly #clock: Clock;
	readonly #log: Log;
	readonly #events: DataPlaneEvents;
	readonly #definitionOf: typeof collectorDefinition;
	readonly #rings: DrainedRing[] = [];
	readonly #lanes: Lane[] = [];
	readonly #abort = new AbortController();
	#cancelTurn = () => {};
	readonly #rests = new DrainRests();
	/** By lane the batches that were cut when its account was last looked at. */
	readonly #checked = new Map<LaneWriter, number>();
	#stopping = false;
	/** The sinks are closed. */
	#ended = false;

	constructor(options: DataWorkerOptions, sinks: readonly [Sink, ...Sink[]], surroundings: DataPlaneSurroundings) {
		const { clock, log, events, definitionOf = collectorDefinition } = surroundings;
		this.#options = options;
		this.#sinks = sinks;
		this.#surroundings = surroundings;
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
		// What is in the rings and in the hands of lanes with a spool goes to disk now.
		const spooled = this.#lanes.filter((lane) => lane.spooled !== undefined);
		if (!inTime && spooled.length > 0) await resolvesWithin(this.#clock, this.#finish(spooled), spoolTimeout);
		await Promise.all(this.#sinks.map((sink) => sink.stop()));
		await resolvesWithin(this.#clock, Promise.all(spooled.map((lane) => lane.spooled?.close())), spoolTimeout);
		this.#ended = true;
	}

	/** Accounts, and the state of sinks and lanes. */
	report(): DataReport {
		const ledger: Record<string, LedgerAccount> = {};
		for (const { collectors } of this.#rings) for (const entry of collectors) ledger[entry.account.definition.name] = this.#accountOf(entry);
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

	/** Takes everything out of the rings of these lanes, and sees it delivered. */
	async #finish(lanes: readonly Lane[] = this.#lanes): Promise<void> {
		const writers = lanes.map(({ writer }) => writer);
		const rings = this.#rings.filter(({ collectors }) => collectors.some(({ lane }) => writers.includes(lane)));
		for (;;) {
			let left = false;
			for (const ring of rings) {
				const { records, blocked, stopped } = drainRing(ring);
				if (records > 0 || (blocked && !stopped)) left = true;
			}
			if (!left || this.#ended) break;
			await this.#clock.sleep(1);
		}
		await Promise.all(writers.filter((writer) => writer.isOpen).map((writer) => writer.flush()));
		if (!this.#abort.signal.aborted) await Promise.all(lanes.map(({ spooled }) => spooled?.flush()));
	}

	#accountOf({ lane, account }: DrainedCollector): LedgerAccount {
		const spooled = this.#lanes.find(({ writer }) => writer === lane)?.spooled;
		return account.account(lane, this.#ended, spooled?.account());
	}

	/** The law of conservation, looked at once per batch. */
	#checkBalance(entry: DrainedCollector): void {
		const { batches } = entry.lane.counts;
		if (this.#checked.get(entry.lane) === batches) return;
		this.#checked.set(entry.lane, batches);
		const account = this.#accountOf(entry);
		const missing = imbalance(account);
		if (never(missing !== 0, "An account balances") && neverCounts().get("An account balances") === 1)
			this.#log.error("The account of a collector does not balance, which is a defect of the agent.", {
				collector: entry.account.definition.name,
				missing,
				account: JSON.stringify(account),
			});
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
			for (const entry of ring.collectors) this.#checkBalance(entry);
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
			const lane = await createLane(name, this.#options, this.#sinks, {
				...this.#surroundings,
				signal: this.#abort.signal,
				onRoom: () => this.#turn(),
				onRewind: (reason) => this.#events.rewind(name, reason),
				onStopped: (error) => this.#laneStopped(name, error),
			});
			this.#lanes.push(lane);
			collectors.push({ lane: lane.writer, account: new RingAccount(definition, reader, index) });
		}
		return { name: handle.name, reader, collectors };
	}

	#laneStopped(name: string, error: unknown): void {
		// Nobody looks any more: no defect and no loss that anybody would miss.
		if (error instanceof OperatingError && error.code === "output_gone") {
			this.#events.outputGone();
			return;
		}
		const lane = this.#lanes.find((candidate) => candidate.collector === name);
		if (lane !== undefined) lane.failure = describeError(error);
		this.#log.error("A lane stopped.", { collector: name, error: describeError(error) });
	}
}

function earlier(one: number | undefined, other: number | undefined): number | undefined {
	return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}
