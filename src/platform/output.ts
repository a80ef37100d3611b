import { write } from "node:fs";
import { isatty, WriteStream } from "node:tty";
import { promisify } from "node:util";
import type { Clock } from "./clock.ts";

/** Where lines for people, or for the next program of a pipe, go. Any thread; one writer at a time. */
export interface Output {
	readonly isTerminal: boolean;
	/** True where colours are wanted: see {@link wantsColors}. */
	readonly colors: boolean;
	/** Width of the terminal now, in columns; 0 where there is none. */
	columns(): number;
	/**
	 * Writes from the start of `bytes` and resolves with how many were taken, at least one. However long the reader takes, no other work waits.
	 * Rejects with the system's error: EPIPE where the reader has gone. `bytes` must not change until then.
	 */
	write(bytes: Uint8Array): Promise<number>;
}

/** Pause before a descriptor that takes nothing now is tried again, in milliseconds. A terminal shared with others may be non-blocking. */
const fullPause = 5;

/** How old the known width of a terminal may be, in milliseconds. */
const widthInterval = 250;

const writeDescriptor = promisify(write);

/** The output behind a descriptor of this process, 1 for standard output. */
export function openOutput(descriptor: number, clock: Clock, environment: Readonly<Record<string, string | undefined>>): Output {
	const isTerminal = isatty(descriptor);
	let width = 0;
	let askedAt = Number.NEGATIVE_INFINITY;
	return {
		isTerminal,
		colors: wantsColors(isTerminal, environment),
		columns() {
			if (!isTerminal || clock.monotonic() - askedAt < widthInterval) return width;
			askedAt = clock.monotonic();
			width = terminalColumns(descriptor);
			return width;
		},
		async write(bytes) {
			for (;;) {
				try {
					// In a thread of the pool: a reader that stands still holds that thread, not this one.
					const { bytesWritten } = await writeDescriptor(descriptor, bytes, 0, bytes.length, null);
					if (bytesWritten > 0) return bytesWritten;
				} catch (error) {
					if (errorCode(error) !== "EAGAIN") throw error;
				}
				await clock.sleep(fullPause);
			}
		},
	};
}

/**
 * Are colours wanted? NO_COLOR with any value but "" forbids them (no-color.org), FORCE_COLOR with any value but "" and "0" asks for them, TERM=dumb
 * cannot show them; otherwise a terminal has them.
 */
export function wantsColors(isTerminal: boolean, environment: Readonly<Record<string, string | undefined>>): boolean {
	const { NO_COLOR: refused = "", FORCE_COLOR: forced = "", TERM: terminal } = environment;
	if (refused !== "") return false;
	if (forced !== "") return forced !== "0" && forced !== "false";
	return isTerminal && terminal !== "dumb";
}

/** The system's name of an error, `EPIPE`; undefined for what has none. */
export function errorCode(error: unknown): string | undefined {
	return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** A stream knows the width of its making, and only the main thread hears of changes: so a new one each time. It is never written to. */
function terminalColumns(descriptor: number): number {
	const [columns] = new WriteStream(descriptor).getWindowSize();
	return columns;
}
