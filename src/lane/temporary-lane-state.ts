import { type LaneState, settledBy } from "./lane-state.ts";
import type { LaneMark, Manifest } from "./record.ts";

/** The state of a lane that nobody needs after the agent has ended, such as that of events shown on a terminal. Nothing is written anywhere. */
export function temporaryLaneState(id: string): LaneState {
	let acknowledged: LaneMark = { batch: 0, cursor: "", sequence: 0 };
	let manifest: Manifest | undefined;
	return {
		id,
		get acknowledged() {
			return acknowledged;
		},
		get pending() {
			return manifest !== undefined && manifest.number > acknowledged.batch ? manifest : undefined;
		},
		get settled() {
			return manifest === undefined ? undefined : settledBy(manifest, acknowledged);
		},
		get beginning() {
			return { ...acknowledged, fresh: manifest === undefined };
		},
		spool: id,
		adoptSpool() {},
		append(next) {
			manifest = next;
		},
		acknowledge(mark) {
			acknowledged = mark;
		},
		adopt() {},
		[Symbol.dispose]() {},
	};
}
