import { emptySection, type Origin, overlay, type SourceSection, sectionAt } from "./source-tree.ts";

/** What a profile sets: keys with dots, values as in a file. `medium` is the defaults themselves. */
export const profiles: Readonly<Record<"low" | "medium" | "high", Readonly<Record<string, string>>>> = {
	low: {
		"orchestrator.workers": "2",
		"orchestrator.buffer_size": "2000",
		"orchestrator.batch.max_bytes": "128KiB",
		"orchestrator.batch.max_delay": "200ms",
		"orchestrator.spool.max_bytes": "256MiB",
		"orchestrator.limits.max_memory_mb": "64",
		"orchestrator.limits.max_cpu_milli": "200",
	},
	medium: {},
	high: {
		"orchestrator.workers": "16",
		"orchestrator.buffer_size": "50000",
		"orchestrator.batch.max_events": "2000",
		"orchestrator.spool.max_bytes": "4GiB",
		"orchestrator.limits.max_memory_mb": "512",
		"orchestrator.limits.max_cpu_milli": "2000",
	},
};

/** The keys of a profile as a layer; empty for a name that is none, which the schema refuses. */
export function profileSource(name: string): SourceSection {
	const origin: Origin = { kind: "profile", name };
	const values = name === "low" || name === "high" ? profiles[name] : {};
	return Object.entries(values).reduce(
		(root, [key, text]) => overlay({ below: root, above: sectionAt(key.split("."), text, origin) }),
		emptySection(origin),
	);
}
