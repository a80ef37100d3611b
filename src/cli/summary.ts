import type { OrchestratorReport } from "../orchestrator/orchestrator.ts";
import { type LedgerAccount, type Reasons, sumReasons } from "../telemetry/ledger.ts";

const headings = ["collector", "received", "published", "dropped", "discarded", "in flight"] as const;

/** What was moved since the start, for a person: a table by collector, and a line for each reason of a loss. `seconds` is the time the agent ran. */
export function summaryText(report: OrchestratorReport, seconds: number): string {
	return `In ${seconds.toFixed(1)} s:\n${accountTable(Object.entries(report.ledger), seconds)}\n`;
}

/** Accounts by collector as a table, and a line for each reason of a loss. With `seconds` a column tells how many events were published in one. */
export function accountTable(accounts: readonly (readonly [name: string, account: LedgerAccount])[], seconds?: number): string {
	const table = [
		seconds === undefined ? headings : [...headings, "events/s"],
		...accounts.map(([name, account]) => (seconds === undefined ? row(name, account) : [...row(name, account), rate(account, seconds)])),
	];
	const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((cells) => (cells[column] ?? "").length)));
	const lines = table.map((cells) =>
		cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join("  "),
	);
	const notes = accounts.flatMap(([name, account]) => [
		...reasonLines(name, "dropped", account.dropped),
		...reasonLines(name, "discarded", account.discarded),
		...reasonLines(name, "lost at the source", account.lost),
	]);
	return [...lines, ...notes].join("\n");
}

/** The same for scripts: one line of JSON with `seconds` and the `ledger` by collector. */
export function summaryJson(report: OrchestratorReport, seconds: number): string {
	return `${JSON.stringify({ seconds, ledger: report.ledger, health: report.health, restarts: report.restarts })}\n`;
}

function row(name: string, account: LedgerAccount): string[] {
	const amounts = [
		account.received + account.derived,
		account.published,
		sumReasons(account.dropped),
		sumReasons(account.discarded),
		account.inFlight,
	];
	return [name, ...amounts.map(String)];
}

function rate({ published }: LedgerAccount, seconds: number): string {
	const perSecond = seconds > 0 ? published / seconds : 0;
	return perSecond < 10 ? perSecond.toFixed(1) : String(Math.round(perSecond));
}

/** What the agent's own reasons mean. Those of a collector are described in its reference. */
const meanings: Readonly<Record<string, string>> = {
	ring_full: "its ring was full, because the sink was away or too slow",
	not_delivered: "not acknowledged before the agent ended",
	collector_died: "in the hands of its host when that died",
	too_large: "larger than any message that the server takes",
	previous_run: "sent by the run before, which saw no acknowledgement",
};

function reasonLines(name: string, what: string, reasons: Reasons): string[] {
	return Object.entries(reasons)
		.filter(([, amount]) => amount > 0)
		.map(([reason, amount]) => `${name}: ${amount} ${what}: ${reason}${meanings[reason] === undefined ? "" : `, ${meanings[reason]}`}`);
}
