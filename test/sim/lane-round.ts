import { OperatingError } from "../../src/base/errors.ts";
import { type LaneState, openLaneState } from "../../src/lane/lane-state.ts";
import { LaneDelivery } from "../../src/orchestrator/lane-delivery.ts";
import { Memory } from "../../src/platform/ffi/memory.ts";
import { NatsLane } from "../../src/sinks/nats/lane.ts";
import { Slots } from "../../src/sinks/nats/slots.ts";
import { sinkOptions } from "../support/nats-sink.ts";
import { modelLink } from "./model-link.ts";
import type { Seeded } from "./seeded.ts";
import { Crash, type RoundPlan, World } from "./world.ts";

/** What a round ended with. */
export interface LaneRound {
	/** What is wrong, undefined for nothing. */
	readonly problem: string | undefined;
	/** Batches that were ever stored. */
	readonly batches: number;
	readonly crashes: number;
	readonly networkFaults: number;
	readonly diskOperations: number;
	readonly diskFaults: number;
	/** A number that is the same for the same seed. */
	readonly hash: number;
}

/** Records of a round's source. Every fifth one is no event, as an entry that a filter leaves out. */
const records = 250;

/** Characters of a configuration's hash in rounds whose state is to be compacted every few batches; one of 16 is what the agent has. */
const longConfiguration = 50_000;

/** Attempts at a state that a disk refuses. Beyond it the round has failed. */
const opensMax = 2000;

/** Anything may go wrong, each round in its own measure. */
function anything(random: Seeded): RoundPlan {
	return {
		crashes: 0.02,
		network: 1,
		power: random.chance(0.5),
		troubles: random.chance(0.3),
		trouble: undefined,
		forgets: random.chance(0.2),
		compacts: random.chance(0.1),
	};
}

/**
 * A lane with its state and a stream, with faults between any two steps: requests and answers lost, bytes of ended connections that arrive later in any order,
 * refusals, messages that expire, disks that refuse, the process killed in the middle of anything, or the power lost. Repeats exactly for the same seed.
 * Never rejects for what the agent does wrong: the result says so.
 */
export async function laneRound(seed: number, tell?: (line: string) => void, plan = anything): Promise<LaneRound> {
	const world = new World(seed, plan, tell);
	const configuration = world.plan.compacts ? "x".repeat(longConfiguration) : "cafe";
	let problem: string | undefined;
	let failures = 0;
	for (let lives = 1; ; lives++) {
		try {
			await live(world, lives, configuration);
			break;
		} catch (error) {
			try {
				if (world.isEnd(error)) world.restart();
				else if (++failures > opensMax) throw error;
			} catch (wrong) {
				problem = `life ${lives} ended: ${wrong instanceof Error ? `${codeOf(wrong)}${wrong.message}` : String(wrong)}`;
				break;
			}
		}
	}
	world.tell("--- the source is delivered; what is still on its way arrives");
	for (const arrive of world.late.splice(0)) arrive();
	const { history, messages } = world.stream;
	world.tell(`--- the stream was given ${history.length} batches, and holds the last ${messages.length}:`);
	for (const { id, body, streamSequence } of history) world.tell(`stream: ${streamSequence}: ${id} ${body}`);
	const stored = history.map(({ id, body }) => [id, body]);
	const { crashes, networkFaults, diskOperations, diskFaults, time } = world;
	const hash = Bun.hash.crc32(JSON.stringify([stored, time, crashes, diskOperations]));
	return {
		problem: problem ?? findProblem(world) ?? findUnsaved(world),
		batches: history.length,
		crashes,
		networkFaults,
		diskOperations,
		diskFaults,
		hash,
	};
}

/** What its source holds at a place: an event, or a record that only moves the position. */
function isEvent(record: number): boolean {
	return record % 5 !== 0;
}

/** Events of the source up to a record. */
function eventsThrough(record: number): number {
	return record - Math.floor(record / 5);
}

/** One life of the agent, as far as it concerns one lane. */
async function live(world: World, life: number, configuration: string): Promise<void> {
	const { random, clock, log } = world;
	const { signal } = new AbortController();
	// A process that ended calls nothing any more, whatever it would have done: its own watch stays dead.
	let over = false;
	const files = world.files.view((operation) => {
		if (over) throw new Crash();
		over = world.isDead;
		return world.disk(operation);
	});
	using state = openLaneState("/s", "systemd", { files, log, randomId: () => `0a1b${life.toString(16)}` });
	world.tell(`agent: life ${life}: the state says ${JSON.stringify({ ...state.beginning, pending: state.pending?.number })}`);
	expectBehind(world, state.acknowledged.sequence);
	expectKept(world, state);
	const counters = { batches: 0, events: 0, bytes: 0, errors: 0, retries: 0 };
	const options = sinkOptions("nats://model:4222");
	const identity = { collector: "systemd", id: state.id, cluster: options.cluster, node: options.node };
	const lane = new NatsLane(identity, { link: modelLink(world), slots: new Slots(4), options, counters, log, clock, random: random.next });
	const delivery = new LaneDelivery({ source: "replayable", state, sink: lane, configuration, log, clock, signal });
	const memory = Memory.allocate(1024);
	let { mark, forced } = await delivery.open();
	world.step();
	let read = placeOf(mark.cursor);
	while (read < records) {
		const sequence = eventsThrough(read);
		if (sequence !== mark.sequence) throw new Error(`The source stands behind event ${sequence}, and the lane behind ${mark.sequence}`);
		if (!isEvent(read + 1)) {
			read++;
			if (forced === undefined && random.chance(0.5)) delivery.savePosition(`i=${read}`);
		} else {
			// Cut by what has come so far, as a batch is that has waited long enough: only a manifest tells where.
			const events = nextEvents(read, forced?.count ?? 1 + random.below(9));
			const text = new TextEncoder().encode(JSON.stringify(events));
			memory.bytes.set(text);
			forced = undefined;
			read = events.at(-1) ?? read;
			const lastSequence = sequence + events.length;
			const batch = {
				memory,
				offset: 0,
				length: text.length,
				count: events.length,
				firstSequence: sequence + 1,
				lastSequence,
				lastCursor: `i=${read}`,
				run: 0,
			};
			const outcome = await delivery.send(batch);
			mark = outcome.kind === "rewind" ? outcome.mark : { ...mark, sequence: lastSequence };
			if (outcome.kind === "rewind") read = placeOf(mark.cursor);
		}
		// Whatever the disk swallowed: a process that ended goes no further.
		if (world.isDead) throw new Crash();
		world.acknowledged = state.acknowledged.batch;
		expectBehind(world, state.acknowledged.sequence);
		if (!world.isRefused) world.kept = { sequence: state.acknowledged.sequence, place: placeOf(state.acknowledged.cursor) };
		if (world.isRefused !== (delivery.stateFailure !== undefined)) {
			throw new Error(`The disk ${world.isRefused ? "refuses" : "is well"}, and the lane says ${delivery.stateFailure ?? "nothing"}`);
		}
		world.step();
	}
}

function placeOf(cursor: string): number {
	return Number(cursor.slice(2));
}

/** The next events behind a record, as many as there are. */
function nextEvents(read: number, count: number): number[] {
	const events: number[] = [];
	for (let record = read + 1; record <= records && events.length < count; record++) if (isEvent(record)) events.push(record);
	return events;
}

/** What the state takes for delivered is delivered. */
function expectBehind({ stream, plan }: World, sequence: number): void {
	if (plan.forgets) return;
	const stored = stream.history.at(-1)?.sequence ?? 0;
	if (sequence > stored) throw new Error(`The state says that ${sequence} events are delivered, and the stream was given ${stored}`);
}

/** What was kept is there again, and a lane that ever sent a batch is not fresh, so that it never takes another one's place. */
function expectKept({ kept, hasSent, plan }: World, { acknowledged, beginning }: LaneState): void {
	if (hasSent && beginning.fresh) throw new Error("A batch was sent, and the lane is fresh again");
	if (kept === undefined || plan.forgets || (acknowledged.sequence >= kept.sequence && placeOf(acknowledged.cursor) >= kept.place)) return;
	throw new Error(`The state had ${JSON.stringify(kept)}, and says ${JSON.stringify(acknowledged)} now`);
}

/** What is wrong with all that was ever stored. */
function findProblem({ stream, errors }: World): string | undefined {
	const ids = new Set<string>();
	const [first] = stream.history;
	let last = 0;
	let events = 0;
	for (const { id, lane, body, count, sequence, cursor } of stream.history) {
		if (ids.has(id)) return `the id ${id} is stored twice`;
		if (lane !== first?.lane) return `the lane has lost its id ${first?.lane} and is ${lane} now`;
		ids.add(id);
		const numbers: number[] = JSON.parse(body);
		for (const number of numbers) {
			if (nextEvents(last, 1)[0] !== number) return `event ${number} stands behind ${last}, in batch ${id}`;
			last = number;
		}
		events += numbers.length;
		if (numbers.length !== count || sequence !== events || cursor !== `i=${last}`) return `batch ${id} says other than what it holds`;
	}
	if (nextEvents(last, 1).length > 0) return `behind event ${last} nothing is stored`;
	return errors.length === 0 ? undefined : `the agent complains: ${errors[0]}`;
}

/** What is wrong with what a disk that is well holds at the end. */
function findUnsaved({ files, log, isRefused, stream }: World): string | undefined {
	if (isRefused) return undefined;
	using state = openLaneState("/s", "systemd", { files: files.view(({ bytes }) => bytes), log, randomId: () => "0" });
	const { id, acknowledged } = state;
	const isWhole = id === stream.history[0]?.lane && acknowledged.sequence === eventsThrough(records);
	return isWhole ? undefined : `the state of lane ${id} says ${JSON.stringify(acknowledged)} at the end`;
}

function codeOf(error: Error): string {
	return error instanceof OperatingError ? `${error.code}: ` : "";
}
