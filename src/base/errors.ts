/** What an {@link OperatingError} knows beside its message. */
export interface ErrorContext {
	/** The error that led to this one. */
	readonly cause?: unknown;
	/** What a person does next, as a sentence without a full stop. */
	readonly hint?: string;
	/** Facts for the log: paths, units, numbers. */
	readonly [fact: string]: unknown;
}

/** Bad input or the outside world: never our defect. The message names the step and the thing, `hint` the way out. */
export class OperatingError extends Error {
	override readonly name = "OperatingError";
	/** Stable identifier of the kind of failure, in snake case: `config_syntax`, `bpf_load`. */
	readonly code: string;
	readonly hint: string | undefined;
	readonly facts: Readonly<Record<string, unknown>>;

	constructor(code: string, message: string, context: ErrorContext = {}) {
		const { cause, hint, ...facts } = context;
		super(message, cause === undefined ? undefined : { cause });
		this.code = code;
		this.hint = hint;
		this.facts = facts;
	}
}

/** Causes followed by {@link describeError}. Beyond it the chain is cut. */
const causesMax = 8;

/** One line for a person: the message, its causes, and the hint of the first error that has one. */
export function describeError(error: unknown): string {
	const parts: string[] = [];
	let hint: string | undefined;
	let current: unknown = error;
	for (let depth = 0; depth < causesMax && current !== undefined; depth++) {
		parts.push(current instanceof Error ? current.message : String(current));
		if (hint === undefined && current instanceof OperatingError) hint = current.hint;
		current = current instanceof Error ? current.cause : undefined;
	}
	return parts.join(": ") + (hint === undefined ? "" : ` (${hint})`);
}
