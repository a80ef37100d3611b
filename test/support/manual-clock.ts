import type { Clock } from "../../src/platform/clock.ts";

/** A clock that stands still until a test moves it. */
export interface ManualClock extends Clock {
	/** Moves on by `milliseconds`, waking sleepers in the order of their time, and lets what they resolve run. */
	advance(milliseconds: number): Promise<void>;
	/** Sleeps that are not over. */
	sleepers(): number;
}

/** A clock at `start` milliseconds since the epoch. */
export function manualClock(start = Date.UTC(2026, 0, 2, 3, 4, 5)): ManualClock {
	let elapsed = 0;
	const sleeping: { readonly until: number; readonly wake: () => void }[] = [];
	return {
		now: () => start + elapsed,
		monotonic: () => elapsed,
		sleep(milliseconds, signal) {
			return new Promise((resolve, reject) => {
				if (signal?.aborted) return reject(signal.reason);
				const entry = { until: elapsed + milliseconds, wake: resolve };
				sleeping.push(entry);
				const stop = () => {
					sleeping.splice(sleeping.indexOf(entry), 1);
					reject(signal?.reason);
				};
				signal?.addEventListener("abort", stop, { once: true });
			});
		},
		async advance(milliseconds) {
			const end = elapsed + milliseconds;
			for (;;) {
				const next = sleeping.filter(({ until }) => until <= end).sort((a, b) => a.until - b.until)[0];
				elapsed = next?.until ?? end;
				if (next === undefined) return await settle();
				sleeping.splice(sleeping.indexOf(next), 1);
				next.wake();
				await settle();
			}
		},
		sleepers: () => sleeping.length,
	};
}

/** Lets everything that is ready to run do so, microtasks and callbacks alike. */
export async function settle(): Promise<void> {
	for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}
