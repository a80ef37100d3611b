import { constants } from "node:os";

/** What a person is shown of an event: plain text as the source wrote it, not yet safe for a terminal. */
export interface EventSummary {
	/** RFC 3339, "" where the event has none. */
	readonly time: string;
	readonly collector: string;
	/** OpenTelemetry severity number, 0 where the event has none. */
	readonly severity: number;
	/** Without the common `tapio.`: `process.exec`. */
	readonly type: string;
	/** Who it is about: a unit, a program, an object; with its pid where one is known. "" where nobody is named. */
	readonly subject: string;
	readonly message: string;
}

/** Fields of an object listed where nothing better is known. Beyond it the list ends with an ellipsis. */
const fieldsMax = 24;

const text = new TextDecoder();

/** Reads one line of a batch. What is missing or of an odd type is left out; a line that is no event becomes a message as it stands. */
export function summarize(line: string): EventSummary {
	const event = parse(line);
	if (event === undefined || event["type"] === undefined) return { time: "", collector: "", severity: 0, type: "", subject: "", message: line };
	const data = objectAt(event, "data");
	const type = textAt(event, "type").replace(/^tapio\./, "");
	const details = { raw: objectAt(data, "raw"), metadata: objectAt(data, "metadata"), attributes: objectAt(data, "attributes") };
	const severity = event["severitynumber"];
	return {
		time: textAt(event, "time"),
		collector: lastPart(textAt(event, "source")),
		severity: typeof severity === "number" ? severity : 0,
		type,
		subject: subjectOf(event, details),
		message: messageOf(type, details),
	};
}

type Fields = Readonly<Record<string, unknown>>;

interface Details {
	readonly raw: Fields;
	readonly metadata: Fields;
	readonly attributes: Fields;
}

function parse(line: string): Fields | undefined {
	try {
		const value: unknown = JSON.parse(line);
		return isFields(value) ? value : undefined;
	} catch {
		// Not ours to judge: it is shown as it came.
		return undefined;
	}
}

function subjectOf(event: Fields, { raw, metadata, attributes }: Details): string {
	const name =
		textAt(metadata, "unit") ||
		textAt(raw, "SYSLOG_IDENTIFIER") ||
		textAt(raw, "_COMM") ||
		textAt(attributes, "process.executable.name") ||
		lastPart(textAt(attributes, "process.executable.path")) ||
		textAt(attributes, "tapio.process.comm") ||
		[textAt(metadata, "namespace"), textAt(metadata, "name")].filter((part) => part !== "").join("/") ||
		textAt(event, "subject");
	const pid = textAt(raw, "_PID") || textAt(raw, "SYSLOG_PID") || textAt(attributes, "process.pid");
	return pid === "" || name === "" ? name || pid : `${name}[${pid}]`;
}

function messageOf(type: string, { raw, metadata, attributes }: Details): string {
	if (raw["MESSAGE"] !== undefined) return textAt(raw, "MESSAGE");
	if (type === "process.exec") return `exec: ${commandOf(attributes)}`;
	if (type === "process.exit") return `exit: ${exitOf(attributes)}`;
	if (type === "process.fork") return `fork: by ${textAt(attributes, "tapio.process.creator_pid") || textAt(attributes, "process.parent_pid")}`;
	const shown = Object.keys(attributes).length > 0 ? attributes : Object.keys(raw).length > 0 ? raw : metadata;
	return listFields(shown, /./);
}

function commandOf(attributes: Fields): string {
	const list = attributes["process.command_args"];
	const command = Array.isArray(list) ? list.map((argument) => shellWord(textOf(argument))).join(" ") : textAt(attributes, "process.command_line");
	return command || textAt(attributes, "process.executable.path");
}

/** An argument as a shell would take it: with quotes where it needs them, so that one argument reads as one. */
function shellWord(argument: string): string {
	if (/^[\w@%+=:,./-]+$/.test(argument)) return argument;
	return `'${argument.replaceAll("'", "'\\''")}'`;
}

function exitOf(attributes: Fields): string {
	const signal = attributes["process.exit.signal"];
	const parts = [typeof signal === "number" ? `killed by ${signalName(signal)}` : textAt(attributes, "process.exit.code")];
	if (attributes["tapio.process.core_dumped"] === true) parts.push("core dumped");
	const nanoseconds = Number(textAt(attributes, "tapio.process.duration_ns") || Number.NaN);
	if (!Number.isNaN(nanoseconds)) parts.push(`after ${durationText(nanoseconds)}`);
	return parts.join(", ");
}

/** `SIGKILL`, or the number of a signal without a name: the real-time ones. */
function signalName(signal: number): string {
	return Object.entries(constants.signals).find(([, number]) => number === signal)?.[0] ?? `signal ${signal}`;
}

/** Two or three digits and a unit: enough to compare by eye. */
function durationText(nanoseconds: number): string {
	const seconds = nanoseconds / 1e9;
	if (seconds < 1e-3) return `${Math.round(seconds * 1e6)} µs`;
	if (seconds < 1) return `${Math.round(seconds * 1e3)} ms`;
	if (seconds < 100) return `${seconds.toFixed(1)} s`;
	return seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** `key=value` of the fields that `wanted` matches, by the last word of the key. */
function listFields(fields: Fields, wanted: RegExp): string {
	const entries = Object.entries(fields).filter(([key]) => wanted.test(key));
	const shown = entries
		.slice(0, fieldsMax)
		.map(([key, value]) => `${lastKey(key)}=${/^$|\s/.test(textOf(value)) ? JSON.stringify(textOf(value)) : textOf(value)}`);
	return shown.join(" ") + (entries.length > fieldsMax ? " …" : "");
}

/** The last two words of a dotted name, which is where the meaning is: `exit.code` for `process.exit.code`. */
function lastKey(key: string): string {
	return key.split(".").slice(-2).join(".");
}

function lastPart(path: string): string {
	return decode(path.slice(path.lastIndexOf("/") + 1));
}

function decode(part: string): string {
	try {
		return decodeURIComponent(part);
	} catch {
		// A stray per cent sign: shown as it is.
		return part;
	}
}

function isFields(value: unknown): value is Fields {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}

function objectAt(fields: Fields, key: string): Fields {
	const value = fields[key];
	return isFields(value) ? value : {};
}

function textAt(fields: Fields, key: string): string {
	return textOf(fields[key]);
}

/** A value as text: a list of bytes is what journalctl makes of text that is not UTF-8, other lists are repeated fields. */
function textOf(value: unknown): string {
	if (typeof value === "string") return value;
	if (value === undefined || value === null) return "";
	if (!Array.isArray(value)) return typeof value === "object" ? JSON.stringify(value) : String(value);
	if (value.length > 0 && value.every((item) => Number.isInteger(item) && item >= 0 && item <= 255)) return text.decode(Uint8Array.from(value));
	return value.map(textOf).join(" | ");
}
