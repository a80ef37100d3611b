import { OperatingError } from "../../src/base/errors.ts";
import { openLaneState } from "../../src/lane/lane-state.ts";
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
	readonly faults: number;
	readonly diskOperations: number;
	readonly diskFaults: number;
	/** A number that is the same for the same seed. */
	readonly hash: number;
}

/** Events of a round. */
export const roundEvents = 200;

/** Characters of a configuration's hash in rounds whose state is to be compacted every few batches; one of 16 is what the agent has. */
const longConfiguration = 50_000;

/** Attempts at a state that a disk refuses. Beyond it the round has failed. */
const opensMax = 200;

/** Anything may go wrong, each round in its own measure. */
function anything(random: Seeded): RoundPlan {
	return { crashes: 0.02, network: 1, power: random.chance(0.5), troubles: random.chance(0.3), trouble: undefined };
}

/**
 * A lane with its state and a stream, with faults between any two steps: requests and answers lost, bytes of ended connections that arrive later in any order,
 * refusals, messages that expire, disks that refuse, the process killed in the middle of anything, or the power lost. Repeats exactly for the same seed.
 * Never rejects for what the agent does wrong: the result says so.
 */
export async function laneRound(seed: number, tell?: (line: string) => void, plan = anything): Promise<LaneRound> {
	const world = new World(seed, plan, tell);
	const configuration = world.random.chance(0.1) ? "x".repeat(longConfiguration) : "cafe";
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
	for (const arrive of world.late.splice(0)) arrive();
	const history = world.stream.history.map(({ id, body }) => [id, body]);
	const { crashes, faults, diskOperations, diskFaults, time } = world;
	const hash = Bun.hash.crc32(JSON.stringify([history, time, crashes, diskOperations]));
	return { problem: problem ?? findProblem(world), batches: history.length, crashes, faults, diskOperations, diskFaults, hash };
}

/** One life of the agent, as far as it concerns one lane. */
async function live(world: World, life: number, configuration: string): Promise<void> {
	const { random, clock, log, stream } = world;
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
	const counters = { batches: 0, events: 0, bytes: 0, errors: 0, retries: 0 };
	const options = sinkOptions("nats://model:4222");
	const identity = { collector: "systemd", id: state.id, cluster: options.cluster, node: options.node };
	const lane = new NatsLane(identity, { link: modelLink(world), slots: new Slots(4), options, counters, log, clock, random: random.next });
	const delivery = new LaneDelivery({ delivery: "replayable", state, sinks: [lane], configuration, log, clock, signal });
	const memory = Memory.allocate(1024);
	let { mark, forced } = await delivery.open();
	world.step();
	let read = Number(mark.cursor.slice(2));
	while (read < roundEvents) {
		if (read !== mark.sequence) throw new Error(`The source stands at ${read}, and the lane at ${mark.sequence}`);
		// Cut by what has come so far, as a batch is that has waited long enough: only a manifest tells where.
		const count = forced?.count ?? Math.min(roundEvents - read, 1 + random.below(9));
		const text = new TextEncoder().encode(JSON.stringify(Array.from({ length: count }, (_, index) => read + 1 + index)));
		memory.bytes.set(text);
		forced = undefined;
		const lastSequence = read + count;
		const outcome = await delivery.send({ memory, offset: 0, length: text.length, count, lastSequence, lastCursor: `i=${lastSequence}` });
		// Whatever the disk swallowed: a process that ended goes no further.
		if (world.isDead) throw new Crash();
		world.acknowledged = stream.history.at(-1)?.number ?? 0;
		expectBehind(world, state.acknowledged.sequence);
		mark = outcome.kind === "rewind" ? outcome.mark : { ...mark, sequence: lastSequence };
		read = outcome.kind === "rewind" ? Number(mark.cursor.slice(2)) : lastSequence;
		world.step();
	}
	if (world.diskFaults === 0 && delivery.stateFailure !== undefined) throw new Error(`The disk is well, and the lane says ${delivery.stateFailure}`);
}

/** What the state takes for delivered is delivered. */
function expectBehind({ stream }: World, sequence: number): void {
	const stored = stream.history.at(-1)?.sequence ?? 0;
	if (sequence > stored) throw new Error(`The state says that ${sequence} events are delivered, and the stream was given ${stored}`);
}

/** What is wrong with all that was ever stored. */
function findProblem({ stream, errors }: World): string | undefined {
	const ids = new Set<string>();
	const [first] = stream.history;
	let last = 0;
	for (const { id, lane, body, count, sequence, cursor } of stream.history) {
		if (ids.has(id)) return `the id ${id} is stored twice`;
		if (lane !== first?.lane) return `the lane has lost its id ${first?.lane} and is ${lane} now`;
		ids.add(id);
		const numbers: number[] = JSON.parse(body);
		for (const number of numbers) {
			if (number !== last + 1) return `event ${number} stands behind ${last}, in batch ${id}`;
			last = number;
		}
		if (numbers.length !== count || sequence !== last || cursor !== `i=${last}`) return `batch ${id} says other than what it holds`;
	}
	if (last !== roundEvents) return `${last} of ${roundEvents} events are stored`;
	return errors.length === 0 ? undefined : `the agent complains: ${errors[0]}`;
}

function codeOf(error: Error): string {
	return error instanceof OperatingError ? `${error.code}: ` : "";
}
