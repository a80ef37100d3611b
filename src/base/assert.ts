/** Thrown when something proved is false: a defect of the agent, never bad input. The worker that threw it is restarted. */
export class AssertionError extends Error {
	override readonly name = "AssertionError";
}

/** Proves `condition`. Throws {@link AssertionError}: a failure is our defect and ends the worker. */
export function assert(condition: boolean, message: string): asserts condition {
	if (!condition) throw new AssertionError(message);
}

const believedFalse = new Map<string, number>();

/** Distinct messages of {@link never} remembered. Beyond it further messages share one entry. */
const neverMessagesMax = 256;

/** States that `condition` is believed false. Counts it where it is true and returns it, for the next line to handle. */
export function never(condition: boolean, message: string): boolean {
	if (condition) {
		const key = believedFalse.size < neverMessagesMax || believedFalse.has(message) ? message : "other";
		believedFalse.set(key, (believedFalse.get(key) ?? 0) + 1);
	}
	return condition;
}

/** How often each {@link never} was true in this thread, for the metrics. */
export function neverCounts(): ReadonlyMap<string, number> {
	return believedFalse;
}

/** Ends every switch over a union: the compiler proves that nothing is left. Throws {@link AssertionError}. */
export function unreachable(value: never): never {
	throw new AssertionError(`Unreachable value ${String(value)}`);
}
