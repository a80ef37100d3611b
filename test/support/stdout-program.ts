/**
 * A program that sends events of a file through the stdout sink, for tests of what only a real descriptor shows:
 * `bun stdout-program.ts FORMAT primary|look BATCHES FILE`. What became of it goes to standard error, as one line of JSON.
 */
import { readFileSync } from "node:fs";
import { systemClock } from "../../src/platform/clock.ts";
import { Memory } from "../../src/platform/ffi/memory.ts";
import { openOutput } from "../../src/platform/output.ts";
import { createStdoutSink } from "../../src/sinks/stdout/stdout-sink.ts";
import { silentLog } from "../../src/telemetry/log.ts";

const [format, role, batches = "1", file = ""] = process.argv.slice(2);
const events = readFileSync(file, "utf8")
	.trimEnd()
	.split("\n")
	.filter((line) => line.startsWith("{") && !line.startsWith("{broken"));
const bytes = new TextEncoder().encode(`[${events.join(",")}]`);
const memory = Memory.allocate(bytes.length);
memory.bytes.set(bytes);

const output = openOutput(1, systemClock, process.env);
const sink = createStdoutSink(
	{ format: format === "json" ? "json" : "pretty", primary: role === "primary" },
	{ output, clock: systemClock, log: silentLog },
);
await sink.start();
const lane = sink.lane({ collector: "systemd", id: "0", cluster: "default", node: "node" });
let error = "";
for (let number = 1; number <= Number(batches) && error === ""; number++) {
	const batch = {
		number,
		memory,
		offset: 0,
		length: bytes.length,
		count: events.length,
		lastSequence: number * events.length,
		lastCursor: "",
		run: 0,
	};
	try {
		await lane.send(batch, new AbortController().signal);
	} catch (cause) {
		error = cause instanceof Error ? cause.message : String(cause);
	}
}
const { health, statistics } = { health: sink.health(), statistics: sink.statistics() };
await sink.stop();
process.stderr.write(`${JSON.stringify({ error, health, statistics, events: events.length })}\n`);
