/** Levels from the most to the least talkative. debug: for us; info: asked-for change; warn: odd, nothing lost; error: data lost or a person is needed. */
export const logLevels = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof logLevels)[number];

/** What a log message says beside its constant sentence. Values are written as JSON. */
export type LogFields = Readonly<Record<string, unknown>>;

/** The log of one component. Messages are constant sentences; what varies goes into the fields. */
export interface Log {
	debug(message: string, fields?: LogFields): void;
	info(message: string, fields?: LogFields): void;
	warn(message: string, fields?: LogFields): void;
	error(message: string, fields?: LogFields): void;
	/** The same log with another component's name. */
	child(component: string): Log;
}

/** One message on its way to whoever writes it: the terminal, or the main thread from a worker. */
export interface LogEntry {
	readonly level: LogLevel;
	readonly component: string;
	readonly message: string;
	readonly fields: LogFields;
}

/** A log that hands every entry at or above `level` to `write`. */
export function createLog(level: LogLevel, component: string, write: (entry: LogEntry) => void): Log {
	const least = logLevels.indexOf(level);
	const at = (entryLevel: LogLevel) => {
		const enabled = logLevels.indexOf(entryLevel) >= least;
		return (message: string, fields: LogFields = {}) => {
			if (enabled) write({ level: entryLevel, component, message, fields });
		};
	};
	return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error"), child: (name) => createLog(level, name, write) };
}

/** A log that keeps nothing, for callers that have nobody to tell. */
export const silentLog: Log = createLog("error", "silent", () => {});
