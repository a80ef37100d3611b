import { expect, test } from "bun:test";
import { manualClock, settle } from "../../../test/support/manual-clock.ts";
import { memoryOutput } from "../../../test/support/memory-output.ts";
import { Memory } from "../../platform/ffi/memory.ts";
import { createLog, type LogEntry } from "../../telemetry/log.ts";
import type { Batch, LaneIdentity } from "../sink.ts";
import { pendingBytesMax, prettyPerSecondMax } from "./preview.ts";
import { createStdoutSink, type StdoutOptions } from "./stdout-sink.ts";

const identity: LaneIdentity = { collector: "systemd", id: "0a1b", cluster: "default", node: "node-7" };
const forever = new AbortController().signal;

function eventText(sequence: number, message = `message ${sequence}`): string {
	return JSON.stringify({ source: "/default/node-7/systemd", type: "tapio.systemd.entry", sequence, data: { raw: { MESSAGE: message } } });
}

/** A batch of `count` events from `first` on. */
function batchOf(number: number, first: number, count: number, message?: string): Batch {
	const text = `[${Array.from({ length: count }, (_, index) => eventText(first + index, message)).join(",")}]`;
	const bytes = new TextEncoder().encode(text);
	const memory = Memory.allocate(bytes.length);
	memory.bytes.set(bytes);
	return { number, memory, offset: 0, length: bytes.length, count, lastSequence: first + count - 1, lastCursor: `c${number}`, run: 0 };
}

function sinkWith(options: StdoutOptions, columns = 0) {
	const output = memoryOutput(columns);
	const clock = manualClock();
	const entries: LogEntry[] = [];
	const log = createLog("debug", "stdout", (entry) => entries.push(entry));
	const sink = createStdoutSink(options, { output, clock, log });
	void sink.start();
	return { output, clock, entries, sink, lane: sink.lane(identity) };
}

/** Settled or not, without waiting. */
async function stateOf(promise: Promise<unknown>): Promise<"resolved" | "rejected" | "waiting"> {
	await settle();
	return await Promise.race([
		promise.then(
			() => "resolved" as const,
			() => "rejected" as const,
		),
		settle().then(() => "waiting" as const),
	]);
}

test("createStdoutSink() as json writes each event as it came, and says where the lane stands", async () => {
	const { output, sink, lane } = sinkWith({ format: "json", primary: true });
	expect(await lane.open({ batch: 4, cursor: "c4", sequence: 40 }, forever)).toEqual({ batch: 4, cursor: "c4", sequence: 40 });
	expect(await lane.send(batchOf(5, 41, 2), forever)).toEqual({ batch: 5, cursor: "c5", sequence: 42 });
	expect(output.text()).toBe(`${eventText(41)}\n${eventText(42)}\n`);
	expect(sink.statistics()).toEqual({ batches: 1, events: 2, bytes: output.text().length, errors: 0, retries: 0, notShown: 0 });
	expect(sink.health()).toEqual({ status: "healthy", message: "events are written" });
});

test("createStdoutSink() as primary resolves once the reader has taken everything", async () => {
	const { output, lane } = sinkWith({ format: "json", primary: true });
	output.hold();
	const sent = lane.send(batchOf(1, 1, 3), forever);
	expect(await stateOf(sent)).toBe("waiting");
	output.release();
	expect((await sent).batch).toBe(1);
});

test("createStdoutSink() keeps the lines of several lanes whole, in the order of their sends", async () => {
	const { output, sink } = sinkWith({ format: "json", primary: true });
	output.takeAtMost(7);
	const lanes = [sink.lane(identity), sink.lane({ ...identity, collector: "kernel" })];
	await Promise.all(lanes.flatMap((lane, index) => [1, 2, 3].map((number) => lane.send(batchOf(number, number * 10 + index, 2), forever))));
	const sequences = output
		.text()
		.trimEnd()
		.split("\n")
		.map((line) => JSON.parse(line).sequence);
	expect(sequences).toEqual([10, 11, 20, 21, 30, 31, 11, 12, 21, 22, 31, 32]);
});

test("createStdoutSink() goes on where a full disk stopped it, and is unhealthy meanwhile", async () => {
	const { output, sink, lane, clock, entries } = sinkWith({ format: "json", primary: true });
	output.takeAtMost(20);
	output.failNext("ENOSPC", "ENOSPC");
	const sent = lane.send(batchOf(1, 1, 2), forever);
	await settle();
	expect(sink.health()).toEqual({ status: "unhealthy", message: "writing fails and is tried again: ENOSPC: write" });
	await clock.advance(10_000);
	await sent;
	expect(output.text()).toBe(`${eventText(1)}\n${eventText(2)}\n`);
	expect(sink.health().status).toBe("healthy");
	expect(sink.statistics().retries).toBe(2);
	// A row of failures is one message, not one each.
	expect(entries.map(({ message }) => message)).toEqual(["Events cannot be written to the output."]);
});

test("createStdoutSink() as primary ends politely when the reader has gone", async () => {
	const { output, sink, lane } = sinkWith({ format: "json", primary: true });
	output.failNext("EPIPE");
	await expect(lane.send(batchOf(1, 1, 1), forever)).rejects.toMatchObject({ code: "output_gone", message: "The reader of the output has gone" });
	await settle();
	expect(sink.health()).toEqual({ status: "unhealthy", message: "the reader of the output has gone" });
	await expect(lane.send(batchOf(1, 1, 1), forever)).rejects.toMatchObject({ code: "output_gone" });
	await sink.stop();
});

test("createStdoutSink() as a look at the stream delivers on when the reader has gone", async () => {
	const { output, sink, lane } = sinkWith({ format: "pretty", primary: false });
	output.failNext("EIO");
	for (const number of [1, 2, 3]) expect((await lane.send(batchOf(number, number, 1), forever)).batch).toBe(number);
	await settle();
	await lane.send(batchOf(4, 4, 5), forever);
	expect(sink.health()).toEqual({ status: "unhealthy", message: "the reader of the output has gone" });
	expect(output.text()).toBe("");
	expect(sink.statistics().notShown).toBeGreaterThanOrEqual(5);
});

test("createStdoutSink() gives a stuck send up when its signal fires", async () => {
	const { output, lane } = sinkWith({ format: "json", primary: true });
	output.hold();
	const stopping = new AbortController();
	const sent = lane.send(batchOf(1, 1, 1), stopping.signal);
	await settle();
	stopping.abort();
	await expect(sent).rejects.toMatchObject({ name: "AbortError" });
	expect(await stateOf(sent)).toBe("rejected");
	await expect(lane.send(batchOf(1, 1, 1), stopping.signal)).rejects.toMatchObject({ name: "AbortError" });
});

test("createStdoutSink() as a look at the stream never waits, holds a bounded amount, and counts the rest", async () => {
	const { output, sink, lane, clock } = sinkWith({ format: "json", primary: false });
	output.hold();
	const message = "x".repeat(1000);
	for (let number = 1; number <= 40; number++) await lane.send(batchOf(number, number * 100, 100, message), forever);
	const { notShown, events, bytes } = sink.statistics();
	expect(events + notShown).toBe(4000);
	expect(bytes).toBeLessThan(pendingBytesMax + 200_000);
	expect(notShown).toBeGreaterThan(2000);
	output.release();
	await clock.advance(5000);
	expect(output.text().split("\n").length - 1).toBe(events);
});

test("createStdoutSink() as json keeps the notice out of the stream of events", async () => {
	const { output, lane, clock, entries } = sinkWith({ format: "json", primary: false });
	output.hold();
	for (let number = 1; number <= 20; number++) await lane.send(batchOf(number, number * 100, 100, "x".repeat(1000)), forever);
	output.release();
	await clock.advance(5000);
	expect(
		output
			.text()
			.trimEnd()
			.split("\n")
			.every((line) => line.startsWith("{")),
	).toBe(true);
	expect(entries.map(({ level, message }) => `${level} ${message}`)).toEqual([
		"warn Events were delivered and not shown: the output is slower than they come.",
	]);
});

test("createStdoutSink() as pretty shows so many lines a second and says how many it left out", async () => {
	const { output, sink, lane, clock } = sinkWith({ format: "pretty", primary: false });
	for (let number = 1; number <= 3; number++) await lane.send(batchOf(number, number * 1000, 1000), forever);
	await clock.advance(1000);
	await lane.send(batchOf(4, 4000, 2), forever);
	await settle();
	const lines = output.text().trimEnd().split("\n");
	expect(lines.length).toBe(prettyPerSecondMax + 1 + 2);
	expect(lines[prettyPerSecondMax]).toStartWith("… 1000 events not shown");
	expect(lines[prettyPerSecondMax + 1]).toEndWith("message 4000");
	expect(sink.statistics()).toMatchObject({ events: prettyPerSecondMax + 2, notShown: 1000, batches: 4 });
	expect(sink.health().message).toBe("events are written; 1000 were delivered and not shown");
});

test("createStdoutSink() says what it left out also when nothing follows", async () => {
	const { output, lane, clock } = sinkWith({ format: "pretty", primary: false });
	await lane.send(batchOf(1, 1, prettyPerSecondMax + 7), forever);
	await clock.advance(2000);
	expect(output.text().trimEnd().split("\n").at(-1)).toStartWith("… 7 events not shown");
	expect(clock.sleepers()).toBe(0);
});

test("createStdoutSink() stops twice, also before start and with a reader that stands still", async () => {
	const idle = createStdoutSink(
		{ format: "json", primary: false },
		{ output: memoryOutput(), clock: manualClock(), log: createLog("error", "", () => {}) },
	);
	expect(idle.health().status).toBe("unknown");
	await idle.stop();
	await idle.stop();
	expect(idle.health()).toEqual({ status: "unknown", message: "stopped" });

	const { output, sink, lane, clock } = sinkWith({ format: "pretty", primary: false });
	output.hold();
	await lane.send(batchOf(1, 1, 1), forever);
	const stopped = sink.stop();
	expect(await stateOf(stopped)).toBe("waiting");
	await clock.advance(600);
	expect(await stateOf(stopped)).toBe("resolved");
	await expect(lane.send(batchOf(2, 2, 1), forever)).rejects.toMatchObject({ code: "sink_stopped" });
});

test("createStdoutSink() as primary rejects what is unsettled at stop", async () => {
	const { output, sink, lane } = sinkWith({ format: "pretty", primary: true }, 80);
	output.hold();
	const sent = lane.send(batchOf(1, 1, 1), forever);
	await settle();
	await sink.stop();
	await expect(sent).rejects.toMatchObject({ code: "sink_stopped" });
	expect(await stateOf(sent)).toBe("rejected");
});

test("createStdoutSink() as pretty fits the terminal", async () => {
	const { output, lane } = sinkWith({ format: "pretty", primary: true }, 60);
	await lane.send(batchOf(1, 1, 2, "界".repeat(80)), forever);
	for (const line of output.text().trimEnd().split("\n")) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(60);
	expect(output.text()).toContain("…\n");
});
