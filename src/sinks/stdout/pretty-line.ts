import { printable } from "../../base/printable.ts";
import { type EventSummary, summarize } from "./summary.ts";

/** How lines are to look. */
export interface LineStyle {
	readonly colors: boolean;
	/** Width to cut at, in columns; 0 for no cut. */
	readonly columns: number;
	/** Milliseconds since the epoch: a line of another day carries its date. */
	readonly now: number;
}

/** Text with the parameters of its colour, "" for none (ECMA-48, select graphic rendition). */
type Span = readonly [text: string, color: string];

// Widths that keep the columns of most lines in line; longer names push the rest to the right.
const collectorColumns = 8;
const typeColumns = 13;
/** Characters of a message looked at. No terminal is that wide, and a pipe has the json format for everything. */
const messageCharactersMax = 4096;

const dim = "2";
const collectorColors = ["36", "35", "34", "32", "94", "96", "95", "92"];

/**
 * One line for a person, without a line feed: local time, collector, severity, type, who, and what. Nothing that an event holds can move the cursor,
 * colour or reorder the line.
 */
export function prettyLine(line: string, style: LineStyle): string {
	return paint(spansOf(summarize(line), style.now), style);
}

/** The line that stands for `count` events which were not shown. */
export function omissionLine(count: number, style: LineStyle): string {
	return paint([[`… ${count} ${count === 1 ? "event" : "events"} not shown: they come faster than they can be read; all are delivered`, dim]], style);
}

function spansOf(event: EventSummary, now: number): Span[] {
	const color = severityColor(event.severity);
	const messageColor = event.severity >= 13 ? color : event.severity > 0 && event.severity < 9 ? dim : "";
	const subject = visible(event.subject);
	return [
		[`${localTime(event.time, now)} `, dim],
		[`${visible(event.collector).padEnd(collectorColumns)} `, collectorColor(event.collector)],
		[`${severityWord(event.severity).padEnd(5)} `, color],
		[`${visible(event.type).padEnd(typeColumns)} `, dim],
		[subject, "1"],
		[subject === "" ? "" : " ", ""],
		[visible(event.message), messageColor],
	];
}

/** Words of five letters at most for the severities that the agent uses; others are named by the one below. */
const severityWords: readonly (readonly [number, string])[] = [
	[21, "FATAL"],
	[19, "ALERT"],
	[18, "CRIT"],
	[17, "ERROR"],
	[13, "WARN"],
	[10, "NOTE"],
	[9, "INFO"],
	[5, "DEBUG"],
	[1, "TRACE"],
];

function severityWord(severity: number): string {
	return severityWords.find(([least]) => severity >= least)?.[1] ?? "-";
}

function severityColor(severity: number): string {
	if (severity >= 21) return "1;97;41";
	if (severity >= 17) return "1;31";
	if (severity >= 13) return "33";
	return severity >= 9 ? "32" : dim;
}

/** The same colour for the same name, on every node; the multiplier is one that keeps the usual names apart. */
function collectorColor(name: string): string {
	let sum = 0;
	for (let index = 0; index < name.length; index++) sum = (Math.imul(sum, 981) + name.charCodeAt(index)) >>> 0;
	return collectorColors[(sum >>> 7) % collectorColors.length] ?? "36";
}

/** Beyond this distance from now a time of day alone would mislead, in milliseconds. */
const sameDay = 12 * 3600 * 1000;

/** `12:34:56.789` in the zone of the machine, with `01-02 ` before it where that was not today, or dashes as wide. */
function localTime(time: string, now: number): string {
	const date = new Date(time);
	if (time === "" || Number.isNaN(date.getTime())) return "--:--:--.---";
	const two = (value: number) => String(value).padStart(2, "0");
	const day = Math.abs(now - date.getTime()) > sameDay ? `${two(date.getMonth() + 1)}-${two(date.getDate())} ` : "";
	return `${day}${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, "0")}`;
}

const layoutCharacters: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Text from outside in one line: what could steer a terminal is shown as its escape. */
function visible(text: string): string {
	const cut = text.length > messageCharactersMax ? `${text.slice(0, messageCharactersMax)}…` : text;
	if (/^[ -~]*$/.test(cut)) return cut;
	return cut.trimEnd().replace(/[^\n\r\t]+|[\n\r\t]/g, (part) => layoutCharacters[part] ?? printable(part));
}

/** Joins spans with their colours, cut to the width. */
function paint(spans: readonly Span[], { colors, columns }: LineStyle): string {
	let left = columns === 0 ? Number.POSITIVE_INFINITY : columns;
	let line = "";
	for (const [whole, color] of spans) {
		if (whole === "") continue;
		if (left <= 0) break;
		const width = widthOf(whole);
		const text = width > left ? `${prefixOfWidth(whole, left - 1)}…` : whole;
		line += colors && color !== "" ? `\x1b[${color}m${text}\x1b[0m` : text;
		left -= width;
	}
	return colors || columns !== 0 ? line : line.trimEnd();
}

/** Columns that a text without escapes takes. */
function widthOf(text: string): number {
	return /^[ -~]*$/.test(text) ? text.length : Bun.stringWidth(text);
}

const graphemes = new Intl.Segmenter();

/** The longest beginning of `text` that takes at most `columns`; no character is torn apart. */
function prefixOfWidth(text: string, columns: number): string {
	if (columns <= 0) return "";
	// A character takes no column or more, so a beginning of that many ASCII characters is exact.
	if (/^[ -~]*$/.test(text)) return text.slice(0, columns);
	let used = 0;
	let end = 0;
	for (const { segment, index } of graphemes.segment(text)) {
		used += Bun.stringWidth(segment);
		if (used > columns) break;
		end = index + segment.length;
	}
	return text.slice(0, end);
}
