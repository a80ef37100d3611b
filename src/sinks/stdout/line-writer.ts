import { OperatingError } from "../../base/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import { errorCode, type Output } from "../../platform/output.ts";

/** Errors after which nobody will read any more: the reader of a pipe has ended, the terminal was closed. */
const endings: readonly (string | undefined)[] = ["EPIPE", "EIO", "EBADF", "ECONNRESET", "ENXIO"];
/** Pause before a write that failed is tried again, in milliseconds: doubled from the first to the second. */
const retryPauseMin = 100;
const retryPauseMax = 30_000;

/** Writes pieces whole and in order, for several callers. One thread. */
export interface LineWriter {
	/**
	 * Resolves when all of `bytes` has left the process. What fails in passing (a full disk) is tried again from where it stopped. Rejects with
	 * OperatingError "output_gone" once nobody reads any more, and with the reason of `signal` when that fires between two tries.
	 */
	write(bytes: Uint8Array, signal: AbortSignal): Promise<void>;
	/** "writing": as it should be; "failing": a write failed and is tried again; "gone": nobody reads any more. */
	state(): "writing" | "failing" | "gone";
	/** The error of the last try that failed. */
	lastError(): unknown;
	/** Tries that failed. */
	failures(): number;
}

/** A writer over `output`. `failed` is told of the first failure of a row. */
export function createLineWriter(output: Output, clock: Clock, failed: (error: unknown) => void): LineWriter {
	let tail: Promise<void> = Promise.resolve();
	let state: "writing" | "failing" | "gone" = "writing";
	let lastError: unknown;
	let failures = 0;

	const gone = () => new OperatingError("output_gone", "The reader of the output has gone", { cause: lastError });

	/** Notes a failure. Returns what to throw where nobody reads any more. */
	const note = (error: unknown): OperatingError | undefined => {
		failures++;
		lastError = error;
		const before = state;
		state = endings.includes(errorCode(error)) ? "gone" : "failing";
		if (before === "writing" || state === "gone") failed(error);
		return state === "gone" ? gone() : undefined;
	};

	const writeAll = async (bytes: Uint8Array, signal: AbortSignal) => {
		let rest = bytes;
		let pause = retryPauseMin;
		while (rest.length > 0) {
			if (state === "gone") throw gone();
			signal.throwIfAborted();
			try {
				rest = rest.subarray(await output.write(rest));
				state = "writing";
				pause = retryPauseMin;
			} catch (error) {
				const end = note(error);
				if (end !== undefined) throw end;
				await clock.sleep(pause, signal);
				pause = Math.min(pause * 2, retryPauseMax);
			}
		}
	};

	return {
		write(bytes, signal) {
			const turn = tail.then(() => writeAll(bytes, signal));
			// The next caller's turn comes whatever became of this one; its own promise tells this caller.
			tail = turn.then(
				() => undefined,
				() => undefined,
			);
			return turn;
		},
		state: () => state,
		lastError: () => lastError,
		failures: () => failures,
	};
}
