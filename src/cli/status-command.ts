import { describeError, OperatingError } from "../base/errors.ts";
import { printable } from "../base/printable.ts";
import { systemClock } from "../platform/clock.ts";
import { isLocked } from "../platform/lock-holder.ts";
import { systemStateFiles } from "../platform/state-files.ts";
import type { HealthStatus } from "../telemetry/health.ts";
import { type LedgerAccount, sumReasons } from "../telemetry/ledger.ts";
import { type AgentStatus, parseStatus, statusPath } from "../telemetry/status-file.ts";
import type { CommandContext } from "./command.ts";
import { loadConfig } from "./load-config.ts";
import { accountTable } from "./summary.ts";

/** Exit status where no agent runs, or a component of it does not work. */
const exitStatusNotWell = 1;

/** Shows the agent of a state folder: whether it runs, its health, and the accounts of all its runs. The exit status is 0 where it runs and nothing is unhealthy. */
export async function execute(context: CommandContext): Promise<number> {
	const directory = (await loadConfig(context)).config.orchestrator.state_dir;
	const status = readStatusOf(directory);
	const isRunning = isLocked(`${directory}/lock`);
	const { out } = context.terminal;
	if (context.arguments.flags.has("--json")) out.write(`${JSON.stringify({ running: isRunning ?? null, ...status })}\n`);
	else out.write(statusText(status, isRunning, systemClock.now(), out.colors));
	const isWell = isRunning !== false && !status.run.ended && Object.values(status.health).every(({ status }) => status !== "unhealthy");
	return isWell ? 0 : exitStatusNotWell;
}

function readStatusOf(directory: string): AgentStatus {
	const path = statusPath(directory);
	let content: Uint8Array | undefined;
	try {
		content = systemStateFiles.read(path);
	} catch (error) {
		throw new OperatingError("status_read", `Read the status of the agent in ${path}: ${describeError(error)}`, {
			hint: "the state folder is for its owner alone: run this as the user that runs the agent",
		});
	}
	if (content === undefined) {
		throw new OperatingError("status_missing", `There is no status of an agent in ${path}`, {
			hint: "name the configuration that the agent runs with, with --config; an agent writes its status some seconds after its start",
		});
	}
	const status = parseStatus(content);
	if ("reason" in status) throw new OperatingError("status_damaged", `Understand the status of the agent in ${path}: ${status.reason}`);
	return status;
}

const paints: Readonly<Record<HealthStatus, string>> = { healthy: "32", degraded: "33", unhealthy: "31", unknown: "2" };

/** The status for a person. `now` is milliseconds since the epoch; `isRunning` undefined where that is not known. */
export function statusText(status: AgentStatus, isRunning: boolean | undefined, now: number, colors: boolean): string {
	const paint = (code: string, text: string) => (colors ? `\x1b[${code}m${text}\x1b[0m` : text);
	const { run } = status;
	const age = describeDuration(now - Date.parse(status.saved));
	const who = `tapio-agent ${printable(run.agent)} on node ${printable(run.node)} in cluster ${printable(run.cluster)}`;
	const state = run.ended
		? `${paint("31", "stopped")} in order ${age} ago`
		: isRunning === false
			? `${paint("31", "not running")}: it ended without a last word; this is ${age} old`
			: `${isRunning === undefined ? "said to be running" : paint("32", "running")} as process ${run.pid} since ${run.started}; as of ${age} ago`;
	const names = Object.keys(status.health);
	const width = Math.max(0, ...names.map((name) => name.length));
	const healths = Object.entries(status.health).map(([name, { status, message }]) => {
		return `  ${name.padEnd(width)}  ${paint(paints[status], status.padEnd("unhealthy".length))}  ${printable(message)}`;
	});
	const accounts = (which: "run" | "total") =>
		Object.entries(status.collectors).map(([name, collector]): readonly [string, LedgerAccount] => [name, collector[which]]);
	const since = Object.values(status.collectors)
		.map((collector) => collector.since)
		.sort()[0];
	const restarts = sumReasons(status.restarts);
	const sections = [
		`${who}\n${state}${restarts > 0 ? `; restarted hosts: ${restarts}` : ""}`,
		`${paint("1", "Health")}\n${healths.join("\n")}`,
		`${paint("1", "This run")}\n${accountTable(accounts("run"))}`,
		...(since === undefined ? [] : [`${paint("1", `All runs since ${since}`)}\n${accountTable(accounts("total"))}`]),
	];
	return `${sections.join("\n\n")}\n`;
}

/** "4 s", "12 min", "3 h" or "5 d" for milliseconds. */
function describeDuration(milliseconds: number): string {
	const seconds = Math.max(0, Math.round(milliseconds / 1000));
	if (seconds < 120) return `${seconds} s`;
	if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
	if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
	return `${Math.round(seconds / 86_400)} d`;
}
