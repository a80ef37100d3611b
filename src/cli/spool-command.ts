import { resolve } from "node:path";
import { OperatingError } from "../base/errors.ts";
import { printable } from "../base/printable.ts";
import { systemSpoolFiles } from "../platform/spool-files.ts";
import type { Amount } from "../spool/account.ts";
import { type Damage, findSpools, inspectSpool, type SegmentReport, type Span, type SpoolReport } from "../spool/inspect.ts";
import { usage } from "./arguments.ts";
import type { CommandContext } from "./command.ts";

/** Shows what is in the spools of a folder. The exit status is 0, and 1 where something is damaged or cannot be read. */
export async function execute(context: CommandContext): Promise<number> {
	const { operands, flags } = context.arguments;
	const [action, directory] = operands;
	const command = context.commands.find(({ name }) => name === "spool");
	if (action !== "inspect")
		throw usage(action === undefined ? "spool needs to know what to do: inspect" : `spool cannot "${printable(action)}"; it can inspect`, command);
	if (directory === undefined) throw usage("spool inspect needs a folder: that of orchestrator.state_dir, or a spool in it", command);
	const reports = inspectAll(resolve(directory));
	const { out } = context.terminal;
	out.write(
		flags.has("--json")
			? `${JSON.stringify(reports.map(toJson), undefined, 2)}\n`
			: reports.map((report) => spoolText(report, out.colors)).join("\n"),
	);
	return reports.some(isHurt) ? 1 : 0;
}

function inspectAll(directory: string): readonly SpoolReport[] {
	let folders: readonly string[];
	try {
		if (systemSpoolFiles.list(directory) === undefined) throw new OperatingError("spool_inspect", `There is no folder ${printable(directory)}`);
		folders = findSpools(systemSpoolFiles, directory);
		if (folders.length > 0) return folders.map((folder) => inspectSpool(systemSpoolFiles, folder));
	} catch (cause) {
		if (cause instanceof OperatingError) throw cause;
		throw new OperatingError("spool_inspect", `Read the spools in ${printable(directory)}`, {
			cause,
			hint: "name the folder of orchestrator.state_dir, and run it as the user of the agent or as root",
		});
	}
	throw new OperatingError("spool_inspect", `There is no spool in ${printable(directory)}`, {
		hint: "name the folder of orchestrator.state_dir; a lane has a spool only once something was spooled",
	});
}

/** A torn end is no damage: an agent may be writing it, and what a crash left there is cut off without a loss that anybody knows of. */
function isHurt({ segments }: SpoolReport): boolean {
	return segments.some(({ damage, problem }) => problem !== undefined || damage.some(({ lost }) => lost !== undefined));
}

/** The report as JSON: as it is, with times as text, and null for what is not known. */
function toJson(report: SpoolReport): unknown {
	return {
		...report,
		lane: report.lane ?? null,
		gone: report.gone ?? null,
		segments: report.segments.map(({ times, numbers, sequences, problem, damage, ...segment }) => ({
			...segment,
			numbers: numbers ?? null,
			sequences: sequences ?? null,
			times: times === undefined ? null : { first: timeText(times.first), last: timeText(times.last) },
			damage: damage.map(({ lost, ...place }) => ({ ...place, lost: lost ?? null })),
			problem: problem ?? null,
		})),
	};
}

const headings = ["segment", "bytes", "records", "events", "numbers", "sequences", "oldest", "newest"] as const;
/** Columns that are aligned to the left. */
const textColumns: ReadonlySet<string> = new Set(["segment", "oldest", "newest"]);

/** One spool for a person: whose it is, a table of its segments, and a line for each damage. */
export function spoolText(report: SpoolReport, colors: boolean): string {
	const paint = (code: string, text: string) => (colors ? `\x1b[${code}m${text}\x1b[0m` : text);
	const { lane, gone, left, lost, segments, strangers } = report;
	const title = lane === undefined ? "unknown lane" : `lane ${printable(lane.name)}, id ${printable(lane.id)}`;
	const amounts = [`${amountText(left)} to be sent`, ...(lost.records > 0 ? [paint("31", `${amountText(lost)} lost`)] : [])];
	if (gone !== undefined) amounts.push(`${amountText(gone)} gone before, up to batch ${gone.number}`);
	const table = [headings, ...segments.map(row)];
	const widths = headings.map((_, column) => Math.max(...table.map((cells) => (cells[column] ?? "").length)));
	const lines = table.map((cells, index) => {
		const padded = cells.map((cell, column) =>
			textColumns.has(headings[column] ?? "") ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
		);
		const line = `  ${padded.join("  ").trimEnd()}`;
		return index === 0 ? paint("2", line) : line;
	});
	const notes = segments.flatMap(({ file, damage, problem }) => [
		...(problem === undefined ? [] : [`  ${paint("31", "unreadable")}  ${file}: ${printable(problem)}`]),
		...damage.map((each) => `  ${paint("31", "damage")}  ${file}: ${damageText(each)}`),
	]);
	const others = strangers.map((name) => `  ${paint("33", "foreign")}  ${printable(name)}: not a file of the spool, left alone`);
	const body = segments.length === 0 ? ["  no segments"] : lines;
	return `${[`${paint("1", printable(report.folder))}: ${title}`, `  ${amounts.join(", ")}`, ...body, ...notes, ...others].join("\n")}\n`;
}

function row({ file, bytes, records, events, numbers, sequences, times }: SegmentReport): readonly string[] {
	const [oldest, newest] = times === undefined ? ["", ""] : [timeText(times.first), timeText(times.last)];
	return [file, String(bytes), String(records), String(events), spanText(numbers), spanText(sequences), oldest, newest];
}

function damageText({ at, bytes, lost }: Damage): string {
	const what = bytes === 0 ? `missing before byte ${at}` : `${bytes} bytes skipped from byte ${at} on`;
	if (lost === undefined) return `${what}; nothing behind tells of a loss: it is torn, or just being written`;
	return `${what}; ${lost.records === 0 ? "nothing lost" : `${amountText(lost)} lost`}`;
}

function spanText(span: Span | undefined): string {
	return span === undefined ? "" : `${span.first}-${span.last}`;
}

function amountText({ records, events }: Amount): string {
	return `${records} ${records === 1 ? "record" : "records"} (${events} ${events === 1 ? "event" : "events"})`;
}

/** Greatest time that a Date can hold, milliseconds. */
const timeMax = 8.64e15;

function timeText(time: number): string {
	return time > timeMax ? String(time) : new Date(time).toISOString();
}
