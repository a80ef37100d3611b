import { heapStats } from "bun:jsc";
import { openLaneState } from "../../src/lane/lane-state.ts";
import { LaneDelivery } from "../../src/orchestrator/lane-delivery.ts";
import { Memory } from "../../src/platform/ffi/memory.ts";
import { natsTiming } from "../../src/sinks/nats/options.ts";
import { createNatsSink } from "../../src/sinks/nats/sink.ts";
import { createLog, type LogEntry } from "../../src/telemetry/log.ts";
import { CrashFiles } from "../support/crash-files.ts";
import { sinkOptions } from "../support/nats-sink.ts";
import { FlappingNetwork } from "./flapping-network.ts";
import { ModelStream } from "./model-stream.ts";
import { seeded } from "./seeded.ts";
import { type SimClock, simClock } from "./sim-clock.ts";

/** Milliseconds of a round, one between two events, and those after the network has come to rest in which everything is to arrive. */
const hour = 3_600_000;
const eventInterval = 250;
const restMax = 120_000;

/** Events of a batch, at most. */
const eventsMax = 100;

/** What a round ended with. */
export interface FlappingRound {
	/** What is wrong, undefined for nothing. */
	readonly problem: string | undefined;
	readonly events: number;
	readonly batches: number;
	readonly flaps: number;
	readonly connections: number;
	/** Times that the circuit opened. */
	readonly circuits: number;
	/** Longest wait between two attempts, in milliseconds. */
	readonly millisecondsWaitedMax: number;
	/** Most failures in a row. */
	readonly failuresMax: number;
	/** A number that is the same for the same seed. */
	readonly hash: number;
}

/** Sleeps of the clock and listeners on the signal of a lane that may stand open at once, with what is on its way over the network. */
const sleepersMax = 8;
const listenersMax = 8;

/** Objects of a kind that the heap may have more of at the end than after the first minutes, the stream's own aside. */
const growthMax = 500;

/** An hour of a lane behind a network that flaps, through the whole NATS sink but its sockets. Never rejects for what the agent does wrong. */
export async function flappingRound(seed: number, tell: (line: string) => void = () => undefined): Promise<FlappingRound> {
	const random = seeded(seed);
	const clock = simClock();
	const say = (line: string) => tell(`${clock.monotonic().toFixed(0).padStart(8)} ms  ${line}`);
	const stream = new ModelStream("TAPIO", 120_000);
	const network = new FlappingNetwork(clock, random, stream, say);
	const watch = new Watch(say);
	const log = createLog("debug", "agent", watch.note);
	const options = { ...sinkOptions("nats://model:4222"), timing: {} };
	const sink = createNatsSink(options, { clock, log, random: random.next, open: network.open });
	const { signal } = countListeners(watch);
	using state = openLaneState("/s", "systemd", { files: new CrashFiles().view(({ bytes }) => bytes), log, randomId: () => "0a1b" });
	const lane = sink.lane({ collector: "systemd", id: state.id, cluster: options.cluster, node: options.node });
	const delivery = new LaneDelivery({ source: "replayable", state, sink: lane, configuration: "cafe", log, clock, signal });
	await sink.start();
	void network.flap(hour);
	void look(clock, watch);
	void deliver(delivery, clock, watch).catch((error) => watch.complain(`the lane stopped: ${error}`));
	await clock.runUntil(hour / 6);
	const before = countObjects();
	await clock.runUntil(hour);
	const after = countObjects();
	await clock.runUntil(hour + restMax);
	for (const [kind, count] of Object.entries(after)) {
		const growth = count - (before[kind] ?? 0);
		if (growth > growthMax) watch.complain(`the heap has ${growth} more of ${kind} after fifty minutes`);
	}
	if (network.standingMax > 1) watch.complain(`${network.standingMax} connections stood at once`);
	if (network.waitMax > natsTiming.backoffMaxMs) watch.complain(`${network.waitMax} ms passed between two attempts`);
	if (sink.health().status !== "healthy") watch.complain(`health says ${sink.health().message}`);
	const last = checkStream(stream, watch);
	await sink.stop();
	await clock.runUntil(hour + 2 * restMax);
	if (clock.sleepers > 0) watch.complain(`${clock.sleepers} timers are left behind the end`);
	if (watch.listeners.size > 0) watch.complain(`${watch.listeners.size} listeners are left behind the end`);
	const { circuits, failuresMax } = watch;
	const { flaps, connections, waitMax } = network;
	const batches = stream.history.length;
	const hash = Bun.hash.crc32(JSON.stringify([stream.history.map(({ id, body }) => [id, body]), flaps, connections, waitMax]));
	return { problem: watch.problem, events: last, batches, flaps, connections, circuits, failuresMax, millisecondsWaitedMax: waitMax, hash };
}

/** What is seen from outside while a round runs. */
class Watch {
	problem: string | undefined;
	circuits = 0;
	failuresMax = 0;
	/** On the signal of the lane. */
	readonly listeners = new Set<unknown>();
	/** Batches delivered since the link said last that it failed. */
	delivered = 0;
	readonly #say: (line: string) => void;

	constructor(say: (line: string) => void) {
		this.#say = say;
	}

	/** Keeps the first of all complaints. */
	complain(problem: string): void {
		this.problem ??= problem;
	}

	readonly note = ({ level, message, fields }: LogEntry): void => {
		this.#say(`agent: ${level}: ${message} ${JSON.stringify(fields)}`);
		if (level === "error") this.complain(`the agent says: ${message}`);
		if (message === "The NATS circuit is open; probing goes on.") this.circuits++;
		const { failures, waitMs } = fields;
		if (typeof failures !== "number" || typeof waitMs !== "number") return;
		this.failuresMax = Math.max(this.failuresMax, failures);
		if (waitMs > natsTiming.backoffMaxMs || waitMs < natsTiming.backoffMinMs / 2) this.complain(`the link waits ${waitMs} ms`);
		if (this.delivered > 0 && failures > 1) this.complain(`${failures} failures are counted though batches were delivered since`);
		this.delivered = 0;
	};
}

/** A source that makes an event every now and then, and what an agent does for its lane. */
async function deliver(delivery: LaneDelivery, clock: SimClock, watch: Watch): Promise<void> {
	const all = Math.floor(hour / eventInterval);
	const memory = Memory.allocate(4096);
	await delivery.open();
	for (let read = 0; read < all; ) {
		const ready = Math.min(all, Math.floor(clock.monotonic() / eventInterval)) - read;
		if (ready === 0) {
			await clock.sleep(eventInterval);
			continue;
		}
		const first = read;
		const count = Math.min(eventsMax, ready);
		const text = new TextEncoder().encode(JSON.stringify(Array.from({ length: count }, (_, index) => first + 1 + index)));
		memory.bytes.set(text);
		read += count;
		const outcome = await delivery.send({
			memory,
			offset: 0,
			length: text.length,
			count,
			firstSequence: read - count + 1,
			lastSequence: read,
			lastCursor: `i=${read}`,
			run: 0,
		});
		if (outcome.kind === "rewind") throw new Error(outcome.reason);
		watch.delivered++;
	}
}

/** Looks every second at what stands open. */
async function look(clock: SimClock, watch: Watch): Promise<void> {
	while (clock.monotonic() < hour) {
		await clock.sleep(1000);
		if (clock.sleepers > sleepersMax) watch.complain(`${clock.sleepers} timers run at once`);
		if (watch.listeners.size > listenersMax) watch.complain(`${watch.listeners.size} listeners wait at once`);
	}
}

/** A controller whose signal counts its listeners. None of them is ever called. */
function countListeners(watch: Watch): AbortController {
	const controller = new AbortController();
	const { signal } = controller;
	const add = signal.addEventListener.bind(signal);
	const remove = signal.removeEventListener.bind(signal);
	signal.addEventListener = (...call: Parameters<typeof add>) => {
		watch.listeners.add(call[1]);
		add(...call);
	};
	signal.removeEventListener = (...call: Parameters<typeof remove>) => {
		watch.listeners.delete(call[1]);
		remove(...call);
	};
	return controller;
}

/** Objects in use, of the kinds that a forgotten wait leaves behind. */
function countObjects(): Readonly<Record<string, number>> {
	Bun.gc(true);
	const { objectTypeCounts } = heapStats();
	return Object.fromEntries(["Promise", "AbortSignal", "AbortController", "Function"].map((kind) => [kind, objectTypeCounts[kind] ?? 0]));
}

/** Every event once and in order; the last one. */
function checkStream({ history }: ModelStream, watch: Watch): number {
	let last = 0;
	const ids = new Set<string>();
	for (const { id, body } of history) {
		if (ids.has(id)) watch.complain(`the id ${id} is stored twice`);
		ids.add(id);
		const events: number[] = JSON.parse(body);
		for (const event of events) {
			if (event !== last + 1) watch.complain(`event ${event} stands behind ${last}`);
			last = event;
		}
	}
	if (last !== Math.floor(hour / eventInterval)) watch.complain(`${last} events are stored`);
	return last;
}
