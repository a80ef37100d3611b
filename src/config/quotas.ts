import { type Bytes, bytes, KiB, MiB } from "../base/units.ts";
import { type AgentConfig, getCollectorConfig, isCollectorEnabled } from "./schema.ts";

/** What one event of `buffer_size` is reckoned at, in bytes. */
export const eventBudgetBytes = KiB;

/** The part of `max_memory_mb` that all rings together take at most. */
const ringShare = 1 / 4;

/** How much of its ring each collector may fill. */
export interface RingQuotas {
	/** By collector, only those that are enabled. */
	readonly quotas: ReadonlyMap<string, Bytes>;
	/** What `buffer_size` asked for, all collectors together. */
	readonly wanted: Bytes;
	/** What `max_memory_mb` leaves for rings. */
	readonly limit: Bytes;
}

/** Reckons the quota of every enabled collector from `buffer_size`, shrunk in proportion where together they exceed a quarter of `max_memory_mb`. */
export function ringQuotas(config: AgentConfig): RingQuotas {
	const limit = Math.floor(config.orchestrator.limits.max_memory_mb * MiB * ringShare);
	const wanted = new Map<string, number>();
	for (const name of Object.keys(config.collectors)) {
		if (isCollectorEnabled(config, name)) wanted.set(name, bufferSizeOf(config, name) * eventBudgetBytes);
	}
	const total = [...wanted.values()].reduce((sum, quota) => sum + quota, 0);
	const scale = total > limit ? limit / total : 1;
	const quotas = new Map([...wanted].map(([name, quota]) => [name, bytes(Math.floor(quota * scale))]));
	return { quotas, wanted: bytes(total), limit: bytes(limit) };
}

/** Events that a collector may have waiting: its own `buffer_size`, else the orchestrator's. */
export function bufferSizeOf(config: AgentConfig, name: string): number {
	const own = getCollectorConfig(config, name);
	if (typeof own === "object" && own !== null && "buffer_size" in own && typeof own.buffer_size === "number") return own.buffer_size;
	return config.orchestrator.buffer_size;
}
