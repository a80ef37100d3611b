import { assert } from "../base/assert.ts";
import type { RingReader } from "../ring/reader.ts";
import type { LaneWriter } from "./lane-writer.ts";
import type { RingAccount } from "./ring-account.ts";

/** Records drained from one ring before the others get their turn and the event loop its breath. */
const recordsPerTurn = 2048;

/** The lane that a collector feeds, and what is counted of it. */
export interface DrainedCollector {
	readonly lane: LaneWriter;
	readonly account: RingAccount;
}

/** One ring with its collectors, by their indices. */
export interface DrainedRing {
	readonly name: string;
	readonly reader: RingReader;
	readonly collectors: readonly DrainedCollector[];
}

/** What one turn over a ring did. */
export interface DrainTurn {
	readonly records: number;
	/** The part of the ring that was full when the turn began, 0 to 1. */
	readonly share: number;
	/** True where the ring holds more, but its lane has no room now. */
	readonly blocked: boolean;
	/** True where a batch was cut: it leaves when the caller returns to the event loop, and the ring may hold more. */
	readonly cut: boolean;
	/** True where that lane has stopped for good: what the ring holds stays there. */
	readonly stopped: boolean;
}

/**
 * Moves records from a ring into the lanes, in order, and releases them with one store. A record whose lane has no room stays where it is, and
 * everything behind it. The turn ends behind a batch that was cut, so that it travels while the next one fills. Data worker's thread.
 */
export function drainRing(ring: DrainedRing): DrainTurn {
	const { reader, collectors } = ring;
	let records = 0;
	let bytes = 0;
	let blocked = false;
	let stopped = false;
	let cut = false;
	// What was cut between two turns is on its way already.
	for (const { lane } of collectors) lane.takeCut();
	while (!cut && records < recordsPerTurn && reader.lease()) {
		const entry = collectors[reader.collector];
		assert(entry !== undefined, "Every collector of a ring has a lane");
		const appended = entry.lane.append(reader);
		if (appended === "blocked") {
			reader.unlease();
			blocked = true;
			stopped = entry.lane.isStopped;
			break;
		}
		entry.account.drained++;
		if (appended === "position") entry.account.positions++;
		else if (appended === "skipped") entry.account.skipped++;
		records++;
		bytes += reader.length;
		cut = entry.lane.takeCut();
	}
	for (const { lane } of collectors) lane.beforeRelease();
	if (records > 0) reader.commit();
	return { records, share: (bytes + reader.fill) / reader.capacity, blocked, cut, stopped };
}
