import * as v from "valibot";
import { duration, list, text, toggle } from "../../config/fields.ts";

/** Units of a Kubernetes node, read where nothing else is asked for. */
export const defaultUnits = ["kubelet.service", "containerd.service", "docker.service", "crio.service"] as const;

/** Where reading begins: `cursor`, `head` or `tail`, else a time. */
export type JournalStart = "cursor" | "head" | "tail" | { readonly realtime: number };

/** RFC 3339 with its zone, as in `2026-01-02T03:04:05Z` or `2026-01-02T03:04:05.5+02:00`. */
const time = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/** Reads `start`; a time becomes milliseconds since the epoch. Undefined where it is none of the words and no time. */
export function parseStart(start: string): JournalStart | undefined {
	if (start === "cursor" || start === "head" || start === "tail") return start;
	if (!time.test(start)) return undefined;
	const realtime = Date.parse(start.replace(" ", "T"));
	return Number.isNaN(realtime) ? undefined : { realtime };
}

/** Checks and completes `collectors.systemd.config`. */
export const systemdConfigSchema = v.strictObject({
	units: list(
		"Units whose entries are read; an empty list means every entry of the journal. A name without a dot means the service of that name.",
		defaultUnits,
	),
	path: text("Folder of journal files to read instead of the node's own journal; empty: the node's own journal.", ""),
	start: v.optional(
		v.pipe(
			v.string(),
			v.check((value) => parseStart(value) !== undefined, "must be cursor, head, tail or a time such as 2026-01-02T03:04:05Z"),
			v.description(
				"Where reading begins when no position is saved yet: cursor (the current boot), head (everything), tail (only what comes) or a time such as 2026-01-02T03:04:05Z.",
			),
		),
		"cursor",
	),
	poll_interval: duration("How long the reader rests when the journal is quiet: the latency of an entry at most.", "20ms", {
		least: "1ms",
		most: "1s",
	}),
	exclude_own: toggle("Leaves out the entries of the agent's own unit, so that it does not report itself.", true),
});

/** `collectors.systemd.config`, checked and complete. */
export type SystemdConfig = v.InferOutput<typeof systemdConfigSchema>;
