import { describeError, OperatingError } from "../base/errors.ts";
import { MiB } from "../base/units.ts";
import { collectorDefinition, collectorDefinitions } from "../collectors/registry.ts";
import { ringQuotas } from "../config/quotas.ts";
import { type AgentConfig, getCollectorConfig, isCollectorEnabled } from "../config/schema.ts";
import type { Clock } from "../platform/clock.ts";
import { Memory } from "../platform/ffi/memory.ts";
import { headerBytes } from "../ring/layout.ts";
import { planRing } from "../ring/plan.ts";
import { type Health, worstStatus } from "../telemetry/health.ts";
import type { Ledger } from "../telemetry/ledger.ts";
import type { Log } from "../telemetry/log.ts";
import { startChildHost } from "./child-host.ts";
import { DataClient } from "./data-client.ts";
import type { DataReport, HostOptions, RingHandle, RingMemory } from "./messages.ts";
import { createFileRing, createSharedRing } from "./ring-memory.ts";
import { type HostEvents, type Positions, Supervisor } from "./supervisor.ts";
import { startWorkerHost } from "./worker-host.ts";

/** What an orchestrator needs of its surroundings. */
export interface OrchestratorOptions {
	readonly config: AgentConfig;
	readonly clock: Clock;
	readonly random: () => number;
	readonly log: Log;
	/** Folder for positions, made and locked by the caller; undefined: nothing is kept. */
	readonly stateDirectory: string | undefined;
	/** Unique per start. */
	readonly runId: string;
	/** Called when the sink has said where the lane of a collector stands. */
	readonly onLaneOpen: () => void;
	/** Called where whoever read the events has gone, and there is no other place for them. */
	readonly onOutputGone: () => void;
	/** Called once where the agent cannot go on. */
	readonly onFailed: (message: string) => void;
}

/** What an orchestrator knows at one moment. */
export interface OrchestratorReport {
	readonly health: Readonly<Record<string, Health>>;
	readonly ledger: Ledger;
	readonly standings: DataReport["standings"];
	readonly statistics: DataReport["statistics"];
	readonly restarts: Readonly<Record<string, number>>;
}

/** One host with its ring. */
interface Room {
	readonly handle: RingHandle;
	readonly supervisor: Supervisor;
	/** Collectors whose lane must be open before the host starts. */
	readonly waiting: Set<string>;
	readonly positions: Record<string, string | undefined>;
	isStarted: boolean;
}

/**
 * Runs the collectors, each in its host behind its ring, and the data worker that empties the rings. Starts replayable sources when the sink has
 * said where they stand, live ones at once. Main thread; touches no event.
 */
export class Orchestrator {
	readonly #options: OrchestratorOptions;
	readonly #data: DataClient;
	readonly #rooms: Room[] = [];
	#phase: "new" | "running" | "stopped" = "new";
	#final: OrchestratorReport | undefined;

	constructor(options: OrchestratorOptions) {
		this.#options = options;
		this.#data = new DataClient({
			onLaneOpen: (collector, position) => this.#laneOpen(collector, position),
			onRewind: (collector, reason) => this.#roomOf(collector)?.supervisor.restart(reason),
			onOutputGone: options.onOutputGone,
			onLog: ({ level, component, message, fields }) => options.log.child(component)[level](message, fields),
			onFailed: options.onFailed,
		});
	}

	/** Starts everything that the configuration enables. Throws OperatingError "already_started" on a second call, and "ring" where no memory is to be had. */
	async start(): Promise<void> {
		if (this.#phase !== "new") throw new OperatingError("already_started", "Start the orchestrator: already started");
		this.#phase = "running";
		const { config, stateDirectory, runId } = this.#options;
		for (const room of this.#plan()) this.#rooms.push(room);
		await this.#data.start({ config, rings: this.#rooms.map(({ handle }) => handle), stateDirectory, runId });
		for (const room of this.#rooms) this.#startIfReady(room);
	}

	/** Health by component and accounts by collector. */
	async report(): Promise<OrchestratorReport> {
		if (this.#final !== undefined) return this.#final;
		return this.#combine(await this.#data.report());
	}

	/**
	 * Stops the sources, delivers what is left within the shutdown time, closes the sinks. Resolves with the last account. A second call waits for
	 * the first.
	 */
	async stop(): Promise<OrchestratorReport> {
		this.#stopping ??= this.#stop();
		return this.#stopping;
	}
	#stopping: Promise<OrchestratorReport> | undefined;

	/** Ends every thread and process at once and delivers nothing: for where the data worker failed. Harmless twice. */
	abandon(): void {
		this.#phase = "stopped";
		for (const { supervisor } of this.#rooms) supervisor.abandon();
		this.#data.terminate();
	}

	async #stop(): Promise<OrchestratorReport> {
		const { clock, config } = this.#options;
		const deadline = clock.monotonic() + config.orchestrator.shutdown_timeout;
		const { health } = this.#combine(await this.#data.report());
		await Promise.all(this.#rooms.map(({ supervisor }) => supervisor.stop()));
		const left = Math.max(0, deadline - clock.monotonic());
		// A stopped component has no health of its own any more: the last word is the one before.
		const report = { ...this.#combine(await this.#data.stop(left)), health };
		this.#data.terminate();
		this.#phase = "stopped";
		this.#final = report;
		return report;
	}

	#plan(): Room[] {
		const { config } = this.#options;
		const { quotas } = ringQuotas(config);
		const enabled = collectorDefinitions.filter(({ name }) => isCollectorEnabled(config, name));
		const rooms: Room[] = [];
		for (const definition of enabled.filter(({ host }) => host === "child"))
			rooms.push(this.#room(definition.name, "child", [definition.name], quotas));
		for (const host of ["worker", "io"] as const) {
			const names = enabled.filter((definition) => definition.host === host).map(({ name }) => name);
			if (names.length > 0) rooms.push(this.#room(host === "worker" ? "kernel" : "io", host, names, quotas));
		}
		return rooms;
	}

	#room(name: string, host: "child" | "worker" | "io", collectors: readonly string[], quotas: ReadonlyMap<string, number>): Room {
		const { clock, random, log } = this.#options;
		const plan = planRing(collectors.map((collector) => ringQuota(collector, quotas.get(collector) ?? 0)));
		const memory = host === "child" ? createFileRing(name, plan) : createSharedRing(plan);
		const handle: RingHandle = { name, memory, collectors };
		const supervisor = new Supervisor({
			name,
			collectors,
			ring: headerOf(memory),
			start: (positions, events) => this.#startHost(handle, host, positions, events),
			settle: () => this.#data.settle(name),
			clock,
			random,
			log: log.child("supervisor"),
		});
		const waiting = new Set(collectors.filter((collector) => collectorDefinition(collector).delivery !== "live"));
		return { handle, supervisor, waiting, positions: {}, isStarted: false };
	}

	#startHost(handle: RingHandle, host: "child" | "worker" | "io", positions: Positions, events: HostEvents) {
		const { config } = this.#options;
		const options: HostOptions = {
			name: handle.name,
			ring: handle.memory,
			logLevel: config.orchestrator.log_level,
			identity: { cluster: config.orchestrator.cluster, node: config.orchestrator.node },
			collectors: handle.collectors.map((name, index) => ({ name, index, config: getCollectorConfig(config, name), position: positions[name] })),
		};
		return host === "child" ? startChildHost(options, events) : startWorkerHost(options, events);
	}

	#laneOpen(collector: string, position: string | undefined): void {
		this.#options.onLaneOpen();
		const room = this.#roomOf(collector);
		if (room === undefined) return;
		room.waiting.delete(collector);
		room.positions[collector] = position;
		this.#startIfReady(room);
	}

	#roomOf(collector: string): Room | undefined {
		return this.#rooms.find(({ handle }) => handle.collectors.includes(collector));
	}

	#startIfReady(room: Room): void {
		if (room.isStarted || room.waiting.size > 0 || this.#stopping !== undefined) return;
		room.isStarted = true;
		try {
			room.supervisor.start(room.positions);
		} catch (error) {
			this.#options.onFailed(`Start the host ${room.handle.name}: ${describeError(error)}`);
		}
	}

	#combine(data: DataReport): OrchestratorReport {
		const health: Record<string, Health> = {};
		const restarts: Record<string, number> = {};
		for (const { handle, supervisor, isStarted } of this.#rooms) {
			restarts[handle.name] = supervisor.restarts;
			for (const collector of handle.collectors) {
				const own: Health = isStarted ? supervisor.health(collector) : { status: "unknown", message: "waits for the sink" };
				const lane = data.lanes[collector];
				health[collector] = lane === undefined ? own : worseOf(own, lane);
			}
		}
		for (const [name, state] of Object.entries(data.sinks)) health[name] = state;
		return { health, ledger: data.ledger, standings: data.standings, statistics: data.statistics, restarts };
	}
}

/** Of a collector and its lane the worse one speaks; both, where both have something to say. */
function worseOf(own: Health, lane: Health): Health {
	const status = worstStatus([own.status, lane.status]);
	if (own.status === lane.status && status !== "healthy") return { status, message: `${lane.message}; ${own.message}` };
	return own.status === status ? own : lane;
}

/**
 * Bytes that a replayable source may have waiting, whatever `buffer_size` says. It loses nothing by waiting itself: a larger ring falls out of the processor's
 * cache (5 % more CPU at 16 MiB), and a smaller one holds too few batches for the time that both sides rest (two thirds of the speed at 512 KiB).
 */
const replayableQuota = 4 * MiB;

function ringQuota(collector: string, quota: number): number {
	return collectorDefinition(collector).delivery === "replayable" ? replayableQuota : quota;
}

/** The header of a ring alone, for control word and heartbeat. */
function headerOf(memory: RingMemory): Memory {
	return "shared" in memory ? Memory.over(memory.shared) : Memory.map(memory.descriptor, headerBytes);
}
