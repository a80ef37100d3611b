import { assert } from "../base/assert.ts";
import { describeError } from "../base/errors.ts";
import { makeRun } from "../base/run.ts";
import type { CollectorDefinition, Delivery } from "../collectors/collector.ts";
import { collectorDefinition } from "../collectors/registry.ts";
import { getCollectorConfig } from "../config/schema.ts";
import { type LaneState, openLaneState } from "../lane/lane-state.ts";
import { temporaryLaneState } from "../lane/temporary-lane-state.ts";
import type { Clock } from "../platform/clock.ts";
import { randomId } from "../platform/random.ts";
import { systemSpoolFiles } from "../platform/spool-files.ts";
import { systemStateFiles } from "../platform/state-files.ts";
import type { LaneIdentity, Sink } from "../sinks/sink.ts";
import type { SpoolLimits } from "../spool/record.ts";
import type { SpoolLane } from "../spool/segment.ts";
import type { SpoolStore } from "../spool/store.ts";
import type { Health } from "../telemetry/health.ts";
import type { Log } from "../telemetry/log.ts";
import { adoptSpool } from "./adopt-spool.ts";
import { LaneDelivery } from "./lane-delivery.ts";
import { LaneWriter } from "./lane-writer.ts";
import type { DataWorkerOptions } from "./messages.ts";
import { ShownDelivery } from "./shown-delivery.ts";
import type { SpoolPlace } from "./spool-client.ts";
import { SpooledDelivery } from "./spooled-delivery.ts";

/** What a lane needs of its surroundings. */
export interface LaneSurroundings {
	readonly clock: Clock;
	readonly log: Log;
	/** 0 to below 1. */
	readonly random: () => number;
	/** Opens the spool of a lane. Rejects with OperatingError. */
	readonly openSpool: (lane: SpoolLane, place: SpoolPlace) => Promise<SpoolStore>;
	/** Finds a collector; the registry's own way where it is left out. */
	readonly definitionOf?: (name: string) => CollectorDefinition;
}

/** What a lane tells its owner, as its writer does, and what ends it. */
export interface LaneOwner extends LaneSurroundings {
	readonly signal: AbortSignal;
	readonly onRoom: () => void;
	readonly onRewind: (reason: string) => void;
	readonly onStopped: (error: unknown) => void;
}

/** A lane, from the ring's end to the sinks. */
export interface Lane {
	readonly collector: string;
	readonly writer: LaneWriter;
	/** Where its events wait on disk while the sink is away, for sources that cannot be read again. */
	readonly spooled: SpooledDelivery | undefined;
	/** Why they cannot. */
	readonly spoolFailure: string | undefined;
	failure: string | undefined;
}

/**
 * Makes the lane of a collector: its state, its spool where its events cannot be read again, the delivery that numbers its batches, and the writer that cuts them. The
 * first sink decides where the lane stands, the others show what passes. Rejects with OperatingError where the state folder cannot be used.
 */
export async function createLane(name: string, options: DataWorkerOptions, sinks: readonly Sink[], owner: LaneOwner): Promise<Lane> {
	const { definitionOf = collectorDefinition, clock, signal } = owner;
	const { config, runId } = options;
	const { cluster, node, batch } = config.orchestrator;
	const definition = definitionOf(name);
	const log = owner.log.child(name);
	const collectorConfig = getCollectorConfig(config, name);
	const state = openState(options.stateDirectory, name, log);
	const { spool, failure: spoolFailure } = await openLaneSpool({ name, state, delivery: definition.delivery }, options, { ...owner, log });
	const run = definition.delivery === "replayable" ? 0 : makeRun(owner.random());
	const identity: LaneIdentity = { collector: name, id: state.id, cluster, node };
	const [sink, ...others] = sinks.map((each) => each.lane(identity));
	assert(sink !== undefined, "There is a sink");
	const common = { state, log, clock, signal };
	const configuration = Bun.hash(JSON.stringify([collectorConfig, batch.max_events, batch.max_bytes])).toString(16);
	const source = spool !== undefined ? "kept" : definition.delivery === "replayable" ? "replayable" : "live";
	const numbered = new LaneDelivery({ ...common, sink, source, configuration });
	const mode = definition.delivery === "durable" ? "always" : "when-away";
	const spooled = spool === undefined ? undefined : new SpooledDelivery({ ...common, delivery: numbered, spool, mode, run });
	const delivery = spooled ?? numbered;
	const writer = new LaneWriter({
		delivery: others.length === 0 ? delivery : new ShownDelivery({ ...common, delivery, sinks: others }),
		decoder: await definition.createDecoder(collectorConfig, { cluster, node }, runId),
		lane: state.id,
		run,
		batch: { eventsMax: batch.max_events, bytesMax: batch.max_bytes, delayMax: batch.max_delay },
		clock,
		signal,
		onRoom: owner.onRoom,
		onRewind: owner.onRewind,
		onStopped: owner.onStopped,
	});
	return { collector: name, writer, spooled, spoolFailure, failure: undefined };
}

/** The worst of what a lane has to say. */
export function laneHealth(lane: Lane): Health {
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

function openState(directory: string | undefined, name: string, log: Log): LaneState {
	if (directory === undefined) return temporaryLaneState(randomId());
	return openLaneState(directory, name, { files: systemStateFiles, log, randomId });
}

/** The spool of a lane whose events cannot be read again, or why it has none. Neither where there is no need or no place for one. */
async function openLaneSpool(
	{ name, state, delivery }: { readonly name: string; readonly state: LaneState; readonly delivery: Delivery },
	{ config, stateDirectory }: DataWorkerOptions,
	{ openSpool, log }: LaneSurroundings,
): Promise<{ readonly spool?: SpoolStore; readonly failure?: string }> {
	if (delivery === "replayable" || !config.orchestrator.nats.enabled || stateDirectory === undefined) return {};
	const { max_bytes: maxBytes, max_age: age, fsync } = config.orchestrator.spool;
	const limits: SpoolLimits = { maxBytes, maxAge: age === 0 ? Number.POSITIVE_INFINITY : age, fsync: fsync === 0 ? "always" : fsync };
	try {
		const lane = adoptSpool(state, { directory: stateDirectory, name, files: systemSpoolFiles, log });
		return { spool: await openSpool(lane, { directory: stateDirectory, limits, logLevel: config.orchestrator.log_level }) };
	} catch (error) {
		// Events go on without it: what the sink does not take waits in the ring, and is dropped and counted where that is full.
		const failure = describeError(error);
		log.error("There is no spool.", { error: failure });
		return { failure };
	}
}
