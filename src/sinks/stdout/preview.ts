import { assert } from "../../base/assert.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Log } from "../../telemetry/log.ts";
import type { LineWriter } from "./line-writer.ts";
import { type LineStyle, omissionLine } from "./pretty-line.ts";

/** Bytes that may wait for a slow terminal. Beyond it events are left out, and counted. */
export const pendingBytesMax = 1 << 20;
/**
 * Pretty lines made in a second at most: more than anybody reads, and less than what making them would take from the thread that delivers.
 * Beyond it events are left out, and counted.
 */
export const prettyPerSecondMax = 2000;
/** How long events may be left out before a line says so, in milliseconds, where none that is shown says it earlier. */
const noticeAfter = 1500;
/** How long `close` waits for a terminal that stands still, in milliseconds. */
const closePatience = 500;
const second = 1000;

assert(noticeAfter > second, "Where events go on, the next second tells what the last one left out");

/** What was shown of a batch. */
export interface Shown {
	readonly events: number;
	readonly bytes: number;
}

/** What a preview is given. */
export interface PreviewOptions {
	readonly writer: LineWriter;
	readonly clock: Clock;
	readonly log: Log;
	/** undefined for NDJSON, where no line may be anything but an event: there the log says what was left out. */
	readonly style: (() => LineStyle) | undefined;
}

const encoder = new TextEncoder();

/** A look at batches that are delivered elsewhere. It never waits and holds a bounded amount. One thread. */
export class Preview {
	/** Events left out since the start. */
	notShown = 0;
	readonly #writer: LineWriter;
	readonly #clock: Clock;
	readonly #log: Log;
	readonly #style: (() => LineStyle) | undefined;
	readonly #closing = new AbortController();
	/** Bytes on their way. */
	#pending = 0;
	#full = false;
	/** Events left out of which nobody was told yet. */
	#untold = 0;
	#noticeDue = false;
	#secondStart = Number.NEGATIVE_INFINITY;
	#secondEvents = 0;
	#idle: Promise<void> = Promise.resolve();

	constructor({ writer, clock, log, style }: PreviewOptions) {
		this.#writer = writer;
		this.#clock = clock;
		this.#log = log;
		this.#style = style;
	}

	/** Shows up to `count` events; `render` makes the lines of the first so many. */
	offer(count: number, render: (eventsMax: number) => Uint8Array): Shown {
		const allowed = this.#allow(count);
		let bytes = 0;
		if (allowed > 0) {
			this.#tell();
			const lines = render(allowed);
			bytes = lines.length;
			this.#enqueue(lines);
		}
		if (allowed < count) this.#omit(count - allowed);
		return { events: allowed, bytes };
	}

	/** Waits a moment for what is on its way, says what was left out, and takes nothing more. Harmless twice. */
	async close(): Promise<void> {
		if (this.#closing.signal.aborted) return;
		this.#tell();
		await Promise.race([this.#idle, this.#clock.sleep(closePatience, this.#closing.signal)]);
		this.#closing.abort();
	}

	/** How many of `count` events may be shown now. */
	#allow(count: number): number {
		if (this.#writer.state() === "gone" || this.#closing.signal.aborted) return 0;
		// Once full it stays so until half has gone, so that a slow terminal shows runs of events and not one here and there.
		this.#full = this.#pending >= (this.#full ? pendingBytesMax / 2 : pendingBytesMax);
		if (this.#full) return 0;
		if (this.#style === undefined) return count;
		const now = this.#clock.monotonic();
		if (now - this.#secondStart >= second) {
			this.#secondStart = now;
			this.#secondEvents = 0;
		}
		const allowed = Math.min(count, prettyPerSecondMax - this.#secondEvents);
		this.#secondEvents += allowed;
		return allowed;
	}

	#enqueue(lines: Uint8Array): void {
		this.#pending += lines.length;
		const done = () => {
			this.#pending -= lines.length;
		};
		// Failed means gone or closing: the writer's state says so in health, and delivery goes on without a preview.
		this.#idle = this.#writer.write(lines, this.#closing.signal).then(done, done);
	}

	#omit(count: number): void {
		this.notShown += count;
		this.#untold += count;
		if (this.#noticeDue || this.#closing.signal.aborted) return;
		// Also where no event follows that could carry the notice.
		this.#noticeDue = true;
		void this.#noticeLater();
	}

	async #noticeLater(): Promise<void> {
		try {
			do await this.#clock.sleep(noticeAfter, this.#closing.signal);
			while (this.#pending >= pendingBytesMax);
			this.#tell();
		} catch (error) {
			// Closing: `close` tells what is left.
			if (!this.#closing.signal.aborted) throw error;
		} finally {
			this.#noticeDue = false;
		}
	}

	#tell(): void {
		if (this.#untold === 0 || this.#writer.state() === "gone") return;
		const omitted = this.#untold;
		this.#untold = 0;
		if (this.#style === undefined) this.#log.warn("Events were delivered and not shown: the output is slower than they come.", { events: omitted });
		else this.#enqueue(encoder.encode(`${omissionLine(omitted, this.#style())}\n`));
	}
}
