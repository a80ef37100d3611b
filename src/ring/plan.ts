import { assert } from "../base/assert.ts";
import { capacityMin } from "./layout.ts";
import { ringCapacity } from "./ring.ts";

/** What one ring is made of. */
export interface RingPlan {
	/** Bytes of the data area, a power of two. */
	readonly capacity: number;
	/** Bytes per collector, in the order given. */
	readonly quotas: readonly number[];
}

/** A ring in which each of these quotas, in bytes, fits beside the others. */
export function planRing(quotas: readonly number[]): RingPlan {
	assert(quotas.length > 0, "A ring serves a collector");
	const capacity = ringCapacity(
		Math.max(
			capacityMin,
			quotas.reduce((sum, quota) => sum + quota, 0),
		),
	);
	return { capacity, quotas: quotas.map((quota) => Math.min(quota, capacity)) };
}
