/*
 * The status of an agent on disk: `<state folder>/status.json`, mode 0600, one JSON object, replaced as a whole, synced, every `health_check_interval`, when a lane
 * was opened, and at the orderly end. It is what `tapio-agent status` shows, and where the counts of the ledger live from run to run.
 *
 * What survives what. Every end of the process: the counts of the last writing; what a collector published since then is rebuilt from the lane's own count in the
 * stream, `Tapio-Published` (ledger-history.ts). What was dropped or discarded between the last writing and a kill is not known any more, neither as received nor as dropped. A loss of
 * power: the same, for the file is synced before it takes the place of the one before.
 *
 * A file that cannot be understood is set aside as `status.json.damaged`, and counting begins anew; that of a newer agent as well, for nobody knows what it means.
 */
import * as v from "valibot";
import { describeError } from "../base/errors.ts";
import type { StateFiles } from "../platform/state-files.ts";
import type { Log } from "./log.ts";

/** Version of the file that this build writes, and the only one it reads. */
export const statusVersion = 1;

const count = v.pipe(v.number(), v.safeInteger());
const reasons = v.record(v.string(), count);
const accountSchema = v.object({
	received: count,
	derived: count,
	published: count,
	dropped: reasons,
	discarded: reasons,
	lost: reasons,
	inFlight: count,
	truncated: count,
});
const healthSchema = v.object({ status: v.picklist(["healthy", "degraded", "unhealthy", "unknown"]), message: v.string() });
const statusSchema = v.object({
	version: v.literal(statusVersion),
	/** When it was written, ISO 8601. */
	saved: v.string(),
	/** The run that wrote it. */
	run: v.object({
		id: v.string(),
		pid: v.number(),
		node: v.string(),
		cluster: v.string(),
		agent: v.string(),
		started: v.string(),
		/** True where it was written by the orderly end of the run. */
		ended: v.boolean(),
	}),
	health: v.record(v.string(), healthSchema),
	restarts: v.record(v.string(), count),
	collectors: v.record(v.string(), v.object({ lane: v.string(), reached: count, since: v.string(), run: accountSchema, total: accountSchema })),
});

/** What the file holds. */
export type AgentStatus = v.InferOutput<typeof statusSchema>;

/** Where the status of the agent of a state folder stands. */
export function statusPath(directory: string): string {
	return `${directory}/status.json`;
}

/** Understands the content of a status file, or says in one phrase why not. */
export function parseStatus(content: Uint8Array): AgentStatus | { readonly reason: string } {
	let value: unknown;
	try {
		value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(content));
	} catch {
		return { reason: "it is no JSON" };
	}
	if (typeof value === "object" && value !== null && "version" in value && typeof value.version === "number" && value.version > statusVersion) {
		return { reason: `a newer agent wrote it (format ${value.version}, this one knows ${statusVersion})` };
	}
	const parsed = v.safeParse(statusSchema, value);
	if (parsed.success) return parsed.output;
	const [issue] = parsed.issues;
	return { reason: `${v.getDotPath(issue) ?? "it"}: ${issue.message}` };
}

/** The status that the run before left, undefined where there is none. One that cannot be understood is set aside and named in the log. Throws nothing. */
export function readStatus(directory: string, files: StateFiles, log: Log): AgentStatus | undefined {
	const path = statusPath(directory);
	try {
		const content = files.read(path);
		if (content === undefined) return undefined;
		const status = parseStatus(content);
		if (!("reason" in status)) return status;
		files.rename(path, `${path}.damaged`);
		log.warn("The counts of earlier runs cannot be read and were set aside; counting begins anew.", {
			file: `${path}.damaged`,
			reason: status.reason,
		});
	} catch (error) {
		log.warn("The counts of earlier runs cannot be read; counting begins anew.", { file: path, error: describeError(error) });
	}
	return undefined;
}

/** Replaces the status file. Throws what the system says. Milliseconds. */
export function writeStatus(directory: string, files: StateFiles, status: AgentStatus): void {
	files.replace(statusPath(directory), new TextEncoder().encode(`${JSON.stringify(status)}\n`));
}
