import { maskSecrets } from "../base/mask.ts";
import { printable } from "../base/printable.ts";
import type { Clock } from "../platform/clock.ts";
import type { TextOutput } from "../platform/console.ts";
import type { LogEntry, LogLevel } from "../telemetry/log.ts";

const colors: Readonly<Record<LogLevel, string>> = { debug: "90", info: "36", warn: "33", error: "31" };

/**
 * Writes log entries to the standard error: aligned and coloured for a person, `key=value` (logfmt) in a pipe. Credentials in URLs are masked, and the
 * `secrets` wherever they appear. Where nobody reads the log any more, or the disk behind it is full, the agent goes on without.
 */
export function logOutput(output: TextOutput, clock: Clock, secrets: readonly string[] = []): (entry: LogEntry) => void {
	return (entry) => {
		const time = new Date(clock.now()).toISOString();
		const line = output.isTerminal ? terminalLine(entry, time, output.colors) : plainLine(entry, time);
		try {
			output.write(`${maskSecrets(line, secrets)}\n`);
		} catch {
			// There is no other place to say it; events matter more than words about them.
		}
	};
}

function terminalLine({ level, component, message, fields }: LogEntry, time: string, colored: boolean): string {
	const paint = (code: string, text: string) => (colored ? `\x1b[${code}m${text}\x1b[0m` : text);
	const facts = Object.entries(fields).map(([key, value]) => ` ${paint("2", `${key}=`)}${fieldText(value)}`);
	return `${paint("2", time.slice(11, 23))} ${paint(colors[level], level.toUpperCase().padEnd(5))} ${component}: ${printable(message)}${facts.join("")}`;
}

function plainLine({ level, component, message, fields }: LogEntry, time: string): string {
	const facts = Object.entries(fields).map(([key, value]) => ` ${key}=${fieldText(value)}`);
	return `time=${time} level=${level} component=${component} msg=${JSON.stringify(message)}${facts.join("")}`;
}

function fieldText(value: unknown): string {
	const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
	return /^[\w./:@%+-]+$/.test(text) ? text : printable(typeof value === "string" ? JSON.stringify(value) : text);
}
