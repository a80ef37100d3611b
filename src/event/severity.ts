/** OpenTelemetry severity numbers with their texts, as far as the agent uses them (OpenTelemetry logs data model, "Severity fields"). */
export const severities = {
	trace: { number: 1, text: "TRACE" },
	debug: { number: 5, text: "DEBUG" },
	info: { number: 9, text: "INFO" },
	notice: { number: 10, text: "INFO2" },
	warn: { number: 13, text: "WARN" },
	error: { number: 17, text: "ERROR" },
	critical: { number: 18, text: "ERROR2" },
	alert: { number: 19, text: "ERROR3" },
	fatal: { number: 21, text: "FATAL" },
} as const;

/** The name of a severity. */
export type Severity = keyof typeof severities;
