/*
 * A writer to be killed: counts to a number and sends what it counts over a lane, in cuts of random size, with its state in a folder.
 * nats-writer.ts URL STATE_FOLDER LAST
 */
import { openLaneState } from "../../src/lane/lane-state.ts";
import { lockStateDirectory } from "../../src/lane/state-directory.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { Memory } from "../../src/platform/ffi/memory.ts";
import { randomFraction, randomId } from "../../src/platform/random.ts";
import { systemStateFiles } from "../../src/platform/state-files.ts";
import { createNatsSink } from "../../src/sinks/nats/sink.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { laneIdentity, sinkOptions } from "./nats-sink.ts";

const [url = "", directory = "", last = "0"] = process.argv.slice(2);
const log = createLog("warn", "writer", (entry) => process.stderr.write(`${JSON.stringify(entry)}\n`));
const { signal } = new AbortController();
using _lock = lockStateDirectory(directory, { pid: process.pid, started: new Date(systemClock.now()).toISOString(), node: "node-1" });
using state = openLaneState(directory, "systemd", { files: systemStateFiles, log, randomId });
const sink = createNatsSink(sinkOptions(url), { clock: systemClock, log });
await sink.start();
const lane = sink.lane({ ...laneIdentity, id: state.id });
const position = await lane.open(state.beginning, signal);
let { sequence } = position;
if (position.finding?.kind === "adopted") {
	state.adopt(position.finding.lane);
	sequence = position.finding.sequence;
} else state.acknowledge(position);
let number = position.batch;
while (sequence < Number(last)) {
	const { pending } = state;
	const count = pending?.count ?? Math.min(Number(last) - sequence, 1 + Math.floor(randomFraction() * 9));
	const events = Array.from({ length: count }, (_, index) => ({ sequence: sequence + index + 1, padding: "x".repeat(200) }));
	const text = new TextEncoder().encode(JSON.stringify(events));
	const memory = Memory.allocate(text.length);
	memory.bytes.set(text);
	const lastSequence = sequence + count;
	const cursors = { firstCursor: `s=1;i=${sequence}`, lastCursor: `s=1;i=${lastSequence}` };
	number++;
	state.append({ number, count, firstSequence: sequence + 1, lastSequence, ...cursors, configuration: "" });
	const after = await lane.send(
		{ number, memory, offset: 0, length: text.length, count, lastSequence, lastCursor: cursors.lastCursor, run: 0 },
		signal,
	);
	state.acknowledge(after);
	number = after.batch;
	sequence = after.sequence;
}
await sink.stop();
process.stdout.write("done\n");
