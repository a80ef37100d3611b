import type { LaneState } from "../lane/lane-state.ts";
import type { SpoolFiles } from "../platform/spool-files.ts";
import { peekSpoolId } from "../spool/open-spool.ts";
import type { SpoolLane } from "../spool/segment.ts";
import type { Log } from "../telemetry/log.ts";

/** Where the spool of a lane may be. */
export interface SpoolSearch {
	/** The state folder. */
	readonly directory: string;
	/** Name of the lane. */
	readonly name: string;
	readonly files: SpoolFiles;
	readonly log: Log;
}

/**
 * Whose spool a lane is to open. A state that never had a batch to send, beside a spool with events in it: the state of the lane that began it was lost, and the events
 * were not. They are this lane's from now on. Throws what the system says.
 */
export function adoptSpool(state: LaneState, { directory, name, files, log }: SpoolSearch): SpoolLane {
	const begun = state.beginning.fresh ? peekSpoolId(directory, name, files) : undefined;
	if (begun !== undefined && begun !== state.spool) {
		state.adoptSpool(begun);
		log.warn("The spool holds events of a lane whose state was lost; this one sends them.", { lane: begun });
	}
	return { name, id: state.spool };
}
