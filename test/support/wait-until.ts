import { systemClock } from "../../src/platform/clock.ts";

/** How long a condition may take, in milliseconds, before the test fails. Generous: a busy machine is no defect. */
const patience = 10_000;
/** Pause between two looks, in milliseconds. */
const pause = 5;

/**
 * Resolves with the first value of `condition` that is neither false nor undefined; throws after `deadline` milliseconds, naming `what` was
 * awaited; a function says it as things stand then. Errors of the condition pass through.
 */
export async function waitUntil<T>(
	what: string | (() => string),
	condition: () => T | false | undefined | Promise<T | false | undefined>,
	deadline = patience,
): Promise<T> {
	const end = systemClock.monotonic() + deadline;
	for (;;) {
		const value = await condition();
		if (value !== false && value !== undefined) return value;
		if (systemClock.monotonic() > end) {
			throw new Error(`Waited ${deadline} ms in vain until ${typeof what === "string" ? what : what()}`);
		}
		await systemClock.sleep(pause);
	}
}
