import type { Clock } from "../../platform/clock.ts";
import type { Log } from "../../telemetry/log.ts";
import type { LaneLink } from "./epoch.ts";
import type { NatsSinkOptions } from "./options.ts";
import type { Slots } from "./slots.ts";

/** Numbers of a sink, counted by its lanes. */
export interface LaneCounters {
	batches: number;
	events: number;
	bytes: number;
	errors: number;
	retries: number;
}

/** What the lanes of one sink share. */
export interface LaneHouse {
	readonly link: LaneLink;
	readonly slots: Slots;
	readonly options: NatsSinkOptions;
	readonly counters: LaneCounters;
	readonly log: Log;
	readonly clock: Clock;
	/** 0 to below 1. */
	readonly random: () => number;
}
