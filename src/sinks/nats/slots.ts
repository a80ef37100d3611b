import { assert } from "../../base/assert.ts";

/** Places for batches that wait for their acknowledgement, shared by the lanes of a sink; whoever waits longest is next. One thread. */
export class Slots {
	#free: number;
	#waiting: (() => void)[] = [];

	constructor(count: number) {
		assert(Number.isInteger(count) && count >= 1, "There is a place");
		this.#free = count;
	}

	/** Resolves with a place; rejects with the signal's reason. `dispose` gives it back, once. */
	async take(signal: AbortSignal): Promise<Disposable> {
		signal.throwIfAborted();
		if (this.#free > 0) this.#free--;
		else await this.#wait(signal);
		let held = true;
		return {
			[Symbol.dispose]: () => {
				if (!held) return;
				held = false;
				const next = this.#waiting.shift();
				if (next === undefined) this.#free++;
				else next();
			},
		};
	}

	#wait(signal: AbortSignal): Promise<void> {
		return new Promise((resolve, reject) => {
			const stop = () => {
				this.#waiting = this.#waiting.filter((waiting) => waiting !== go);
				reject(signal.reason);
			};
			const go = () => {
				signal.removeEventListener("abort", stop);
				resolve();
			};
			signal.addEventListener("abort", stop, { once: true });
			this.#waiting.push(go);
		});
	}
}
