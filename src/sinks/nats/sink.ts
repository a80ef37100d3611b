import { assert } from "../../base/assert.ts";
import { describeError } from "../../base/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { randomFraction } from "../../platform/random.ts";
import type { Health } from "../../telemetry/health.ts";
import type { Log } from "../../telemetry/log.ts";
import type { LaneIdentity, Sink } from "../sink.ts";
import type { ReadText } from "./authentication.ts";
import { needsPerson, stopsLane } from "./failure.ts";
import { NatsLane } from "./lane.ts";
import type { LaneCounters, LaneHouse } from "./lane-house.ts";
import { Link, type OpenConnection } from "./link.ts";
import type { NatsSinkOptions } from "./options.ts";
import { Slots } from "./slots.ts";
import { laneSubject } from "./subject.ts";

/** What the sink needs of the world. */
export interface NatsSinkDependencies {
	readonly clock: Clock;
	readonly log: Log;
	/** 0 to below 1, for the back-off. */
	readonly random?: () => number;
	/** Reads a small text file: keys, certificates, credentials. */
	readonly read?: ReadText;
	/** Opens connections, for tests. */
	readonly open?: OpenConnection;
}

/** Lanes of one sink. Beyond it `lane` throws: names of lanes come from the configuration, never from events. */
export const lanesMax = 4096;

/**
 * The sink that delivers to NATS: with JetStream each batch exactly once and in order (see lane.ts), without it to whoever listens.
 * Throws OperatingError "nats_url" and "nats_subject" for options that cannot work. Lives in the data worker.
 */
export function createNatsSink(options: NatsSinkOptions, dependencies: NatsSinkDependencies): Sink {
	assert(options.workers >= 1 && options.workers <= 64, "Workers are 1 to 64");
	assert(options.maxReconnects >= 1, "The circuit opens after at least one failure");
	const { clock, log, random = randomFraction, read = (path) => Bun.file(path).text(), open } = dependencies;
	laneSubject(options.subject, { cluster: options.cluster, node: options.node, collector: "any" });
	const counters: LaneCounters = { batches: 0, events: 0, bytes: 0, errors: 0, retries: 0 };
	const link = new Link(options, { clock, log, random, read, ...(open === undefined ? {} : { open }) });
	const house: LaneHouse = { link, slots: new Slots(options.workers), options, counters, log, clock, random };
	const lanes: NatsLane[] = [];
	return {
		name: "nats",
		start: () => link.start(),
		lane(identity: LaneIdentity) {
			assert(lanes.length < lanesMax, "The lanes of a sink are few");
			const lane = new NatsLane(identity, house);
			lanes.push(lane);
			return lane;
		},
		health: () => health(link, lanes),
		statistics: () => ({ ...counters }),
		stop: () => link.stop(),
	};
}

/** The worst of the connection and the lanes: a lane that stands still outweighs a connection that is well. */
function health(link: Link, lanes: readonly NatsLane[]): Health {
	const problems = lanes.flatMap((lane) => (lane.problem === undefined ? [] : [lane.problem]));
	const worst = problems.find(needsPerson) ?? problems[0];
	if (worst === undefined) return link.health();
	const more = problems.length > 1 ? `, and ${problems.length - 1} more lanes stand still` : "";
	const state = stopsLane(worst) ? "the lane stands still" : link.state;
	return { status: needsPerson(worst) ? "unhealthy" : "degraded", message: `${describeError(worst)}; ${state}${more}` };
}
