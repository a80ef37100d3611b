import type { Clock } from "../../src/platform/clock.ts";

/** A clock for long simulations: time passes only in `runUntil`, and sleeps leave nothing behind. */
export interface SimClock extends Clock {
	/** Moves on to `time`, waking sleepers in the order of their time; what each resolves runs before the next one. */
	runUntil(time: number): Promise<void>;
	/** Sleeps that are not over. */
	readonly sleepers: number;
}

interface Sleeper {
	readonly until: number;
	readonly wake: () => void;
}

/** A clock at 0. */
export function simClock(): SimClock {
	let elapsed = 0;
	const sleeping = new Set<Sleeper>();
	const first = () => {
		let next: Sleeper | undefined;
		for (const sleeper of sleeping) if (next === undefined || sleeper.until < next.until) next = sleeper;
		return next;
	};
	return {
		now: () => Math.floor(elapsed),
		monotonic: () => elapsed,
		sleep(duration, signal) {
			return new Promise((resolve, reject) => {
				if (signal?.aborted) return reject(signal.reason);
				const stop = () => {
					sleeping.delete(sleeper);
					reject(signal?.reason);
				};
				const wake = () => {
					signal?.removeEventListener("abort", stop);
					resolve();
				};
				const sleeper = { until: elapsed + duration, wake };
				sleeping.add(sleeper);
				signal?.addEventListener("abort", stop, { once: true });
			});
		},
		async runUntil(time) {
			// What was just begun goes to sleep first.
			await allRun();
			for (let next = first(); next !== undefined && next.until <= time; next = first()) {
				elapsed = Math.max(elapsed, next.until);
				sleeping.delete(next);
				next.wake();
				await allRun();
			}
			elapsed = Math.max(elapsed, time);
		},
		get sleepers() {
			return sleeping.size;
		},
	};
}

/** Every promise that can settle has settled: the simulation waits for nothing but promises. */
function allRun(): Promise<void> {
	return new Promise((resolve) => setImmediate(resolve));
}
