import { describeError, OperatingError } from "../../base/errors.ts";
import type { Clock } from "../../platform/clock.ts";
import type { Output } from "../../platform/output.ts";
import type { Health } from "../../telemetry/health.ts";
import type { Log } from "../../telemetry/log.ts";
import type { Batch, LanePosition, Sink, SinkLane, SinkStatistics } from "../sink.ts";
import { bytesOfLines, eventLines } from "./event-lines.ts";
import { createLineWriter, type LineWriter } from "./line-writer.ts";
import { type LineStyle, prettyLine } from "./pretty-line.ts";
import { Preview } from "./preview.ts";

/** How the sink is to behave. */
export interface StdoutOptions {
	/** pretty: a coloured line for a person; json: one CloudEvent a line, byte for byte as it is delivered. */
	readonly format: "pretty" | "json";
	/**
	 * true: this is where events are delivered, and a slow reader slows the sources down. false: a look at what is delivered elsewhere, which never
	 * holds that up: what does not fit is left out and counted.
	 */
	readonly primary: boolean;
}

/** What the sink is given. */
export interface StdoutDependencies {
	readonly output: Output;
	readonly clock: Clock;
	readonly log: Log;
}

/** Statistics of this sink. */
export interface StdoutStatistics extends SinkStatistics {
	/** Events that a look at the stream left out; all of them were delivered. */
	readonly notShown: number;
}

/** A sink that also says what it left out. */
export interface StdoutSink extends Sink {
	statistics(): StdoutStatistics;
}

/** Bytes of a batch at most: a reader sees the first line soon, and a slow one holds little memory. */
const batchBytesMax = 256 * 1024;

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** A sink that writes to standard output. Lives in the data worker; any number of lanes, whose batches never mix within a line. */
export function createStdoutSink(options: StdoutOptions, dependencies: StdoutDependencies): StdoutSink {
	const { output, clock, log } = dependencies;
	const counts = { batches: 0, events: 0, bytes: 0 };
	let phase: "new" | "started" | "stopped" = "new";
	const closing = new AbortController();
	const writer = createLineWriter(output, clock, (cause) => log.warn("Events cannot be written to the output.", { error: describeError(cause) }));
	const style = (): LineStyle => ({ colors: output.colors, columns: output.columns(), now: clock.now() });
	const preview = options.primary ? undefined : new Preview({ writer, clock, log, style: options.format === "json" ? undefined : style });

	const render = (batch: Batch, eventsMax: number): Uint8Array => {
		const lines = eventLines(batch.memory.bytes.subarray(batch.offset), batch.length);
		const wanted = eventsMax < batch.count ? lines.subarray(0, bytesOfLines(lines, eventsMax)) : lines;
		return options.format === "json" ? wanted : prettyLines(wanted, style());
	};

	const send = async (batch: Batch, signal: AbortSignal): Promise<LanePosition> => {
		signal.throwIfAborted();
		closing.signal.throwIfAborted();
		const shown = preview === undefined ? await deliver(batch, signal) : preview.offer(batch.count, (eventsMax) => render(batch, eventsMax));
		counts.batches++;
		counts.events += shown.events;
		counts.bytes += shown.bytes;
		return { batch: batch.number, cursor: batch.lastCursor, sequence: batch.lastSequence };
	};

	const deliver = async (batch: Batch, signal: AbortSignal) => {
		const bytes = render(batch, batch.count);
		const either = AbortSignal.any([signal, closing.signal]);
		const given = Promise.withResolvers<never>();
		const giveUp = () => given.reject(either.reason);
		either.addEventListener("abort", giveUp, { once: true });
		try {
			// A write that a reader holds up is not waited for once the signal fires.
			await Promise.race([writer.write(bytes, either), given.promise]);
		} finally {
			// A listener left behind would keep this signal alive as long as the lane's.
			either.removeEventListener("abort", giveUp);
		}
		return { events: batch.count, bytes: bytes.length };
	};

	const lane: SinkLane = { open: async ({ batch, cursor, sequence }) => ({ batch, cursor, sequence }), batchBytesMax: () => batchBytesMax, send };

	return {
		name: "stdout",
		start() {
			if (phase === "new") phase = "started";
		},
		lane: () => lane,
		health: () => healthOf(phase, writer, preview),
		statistics: () => ({ ...counts, errors: writer.failures(), retries: writer.failures(), notShown: preview?.notShown ?? 0 }),
		async stop() {
			if (phase === "stopped") return;
			phase = "stopped";
			await preview?.close();
			closing.abort(new OperatingError("sink_stopped", "The output was closed"));
		},
	};
}

function prettyLines(lines: Uint8Array, style: LineStyle): Uint8Array {
	let text = "";
	for (const line of decoder.decode(lines).split("\n")) if (line !== "") text += `${prettyLine(line, style)}\n`;
	return encoder.encode(text);
}

function healthOf(phase: "new" | "started" | "stopped", writer: LineWriter, preview: Preview | undefined): Health {
	if (phase !== "started") return { status: "unknown", message: phase === "new" ? "not started" : "stopped" };
	if (writer.state() === "gone") return { status: "unhealthy", message: "the reader of the output has gone" };
	if (writer.state() === "failing") return { status: "unhealthy", message: `writing fails and is tried again: ${describeError(writer.lastError())}` };
	const notShown = preview?.notShown ?? 0;
	return { status: "healthy", message: notShown === 0 ? "events are written" : `events are written; ${notShown} were delivered and not shown` };
}
