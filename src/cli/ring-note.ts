import { MiB } from "../base/units.ts";
import { ringQuotas } from "../config/quotas.ts";
import type { AgentConfig } from "../config/schema.ts";

/** One sentence where `max_memory_mb` leaves the rings less than `buffer_size` asks for; undefined where it does not. */
export function ringNote(config: AgentConfig): string | undefined {
	const { wanted, limit } = ringQuotas(config);
	if (wanted <= limit) return undefined;
	const percent = Math.floor((100 * limit) / wanted);
	const memory = config.orchestrator.limits.max_memory_mb;
	return `buffer_size asks for rings of ${mebibytes(wanted)} MiB; a quarter of max_memory_mb ${memory} is ${mebibytes(limit)} MiB, so each gets ${percent} % of its size`;
}

function mebibytes(size: number): string {
	return (size / MiB).toFixed(size < 10 * MiB ? 1 : 0);
}
