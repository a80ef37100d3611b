import { assert } from "../../src/base/assert.ts";
import { OperatingError } from "../../src/base/errors.ts";
import { bytes } from "../../src/base/units.ts";
import { openLaneState } from "../../src/lane/lane-state.ts";
import type { Clock } from "../../src/platform/clock.ts";
import { Memory } from "../../src/platform/ffi/memory.ts";
import type { Epoch, LaneConnection, LaneLink, OutgoingMessage } from "../../src/sinks/nats/epoch.ts";
import { NatsLane } from "../../src/sinks/nats/lane.ts";
import { Slots } from "../../src/sinks/nats/slots.ts";
import { silentLog } from "../../src/telemetry/log.ts";
import { MemoryFiles } from "../support/memory-files.ts";
import { sinkOptions } from "../support/nats-sink.ts";
import { ModelStream } from "./model-stream.ts";
import { type Seeded, seeded } from "./seeded.ts";

/** What a round ended with. */
export interface LaneRound {
	/** First and last sequence of each batch that was ever stored, in the order of storing. */
	readonly stored: readonly (readonly [first: number, last: number])[];
	/** Ids that were stored. */
	readonly ids: readonly string[];
	readonly crashes: number;
	readonly faults: number;
	/** A number that is the same for the same seed. */
	readonly hash: number;
}

/** Events of a round. */
export const roundEvents = 200;

/** Steps of a round. Beyond it something stands still. */
const stepsMax = 20_000;

/** The process ends here, in the middle of what it does. */
class Crash extends Error {}

interface World {
	readonly random: Seeded;
	readonly stream: ModelStream;
	/** Messages of connections that ended, which may still arrive. */
	readonly late: (() => void)[];
	readonly calm: () => boolean;
	/** Power may fail in this round. If so the newest message never expires: with both gone nobody would know what was delivered. */
	readonly power: boolean;
	/** Batch that the writer knows to be delivered. Later ones do not expire: a limit that removes what nobody has heard of is no retention. */
	acknowledged: number;
	time: number;
	steps: number;
	faults: number;
}

/**
 * A writer, its state and a stream, with faults between any two steps: requests and answers lost, bytes of ended connections that arrive later in any order,
 * refusals, messages that expire, the writer killed with or without a torn line, or without power. Repeats exactly for the same seed.
 */
export async function laneRound(seed: number): Promise<LaneRound> {
	const random = seeded(seed);
	const world: World = {
		random,
		stream: new ModelStream("TAPIO", random.chance(0.5) ? 50 : 100_000),
		late: [],
		calm: () => world.steps > stepsMax / 2,
		power: random.chance(0.5),
		acknowledged: 0,
		time: 0,
		steps: 0,
		faults: 0,
	};
	const files = new MemoryFiles();
	const path = "/s/lanes/systemd.lane";
	let crashes = 0;
	for (let done = false; !done; ) {
		try {
			await write(world, files);
			done = true;
		} catch (error) {
			if (!(error instanceof Crash)) throw error;
			crashes++;
			if (world.power && random.chance(0.6)) files.losePower(path, random.next());
			else if (random.chance(0.5)) files.tear(path, new TextEncoder().encode('12345678 ["a",'.slice(0, 1 + random.below(13))));
		}
	}
	for (const arrive of world.late.splice(0)) arrive();
	const stored = world.stream.history.map(({ count, sequence }) => [sequence - count + 1, sequence] as const);
	const ids = world.stream.history.map(({ id }) => id);
	return { stored, ids, crashes, faults: world.faults, hash: Bun.hash.crc32(JSON.stringify([stored, ids, world.time, crashes])) };
}

/** One life of the writer. */
async function write(world: World, files: MemoryFiles): Promise<void> {
	const { random } = world;
	const clock: Clock = {
		now: () => world.time,
		monotonic: () => world.time,
		async sleep(duration) {
			world.time += duration;
		},
	};
	using state = openLaneState("/s", "systemd", { files, log: silentLog, randomId: () => "0a1b" });
	const counters = { batches: 0, events: 0, bytes: 0, errors: 0, retries: 0 };
	const link = modelLink(world);
	const options = sinkOptions("nats://model:4222");
	const identity = { collector: "systemd", id: state.id, cluster: options.cluster, node: options.node };
	const lane = new NatsLane(identity, { link, slots: new Slots(4), options, counters, log: silentLog, clock, random: random.next });
	const { signal } = new AbortController();
	const memory = Memory.allocate(64);
	const position = await lane.open(state.beginning, signal);
	maybeCrash(world);
	state.acknowledge({ batch: position.batch, cursor: position.cursor, sequence: position.sequence });
	let { batch: number, sequence } = position;
	while (sequence < roundEvents) {
		maybeCrash(world);
		// Cut by the source alone, as a batch of a journal is: a lost manifest then changes nothing, while one that is kept is followed.
		const count = state.pending?.count ?? Math.min(roundEvents - sequence, 1 + ((sequence * 7) % 9));
		const lastSequence = sequence + count;
		const text = new TextEncoder().encode(`[${sequence + 1},${lastSequence}]`);
		memory.bytes.set(text);
		number++;
		state.append({
			number,
			count,
			firstSequence: sequence + 1,
			lastSequence,
			firstCursor: `i=${sequence}`,
			lastCursor: `i=${lastSequence}`,
			configuration: "",
		});
		maybeCrash(world);
		const after = await lane.send({ number, memory, offset: 0, length: text.length, count, lastSequence, lastCursor: `i=${lastSequence}` }, signal);
		maybeCrash(world);
		state.acknowledge({ batch: after.batch, cursor: after.cursor, sequence: after.sequence });
		world.acknowledged = after.batch;
		assert(after.batch === number, "The model stream never goes back");
		sequence = after.sequence;
	}
}

function maybeCrash(world: World): void {
	assert(++world.steps < stepsMax, "The round comes to an end");
	if (!world.calm() && world.random.chance(0.02)) throw new Crash();
}

function modelLink(world: World): LaneLink {
	let epoch: (Epoch & { connection: ModelConnection }) | undefined;
	return {
		timing: { acknowledgeMs: 10, backoffMinMs: 1, backoffMaxMs: 10 },
		async current() {
			maybeCrash(world);
			if (epoch?.connection.alive !== true) {
				world.time += world.random.below(200);
				epoch = { connection: new ModelConnection(world) };
			}
			return epoch;
		},
		failed(over) {
			if (over === epoch) epoch.connection.alive = false;
		},
		succeeded: () => undefined,
		messageBytesMax: () => bytes(1_000_000),
	};
}

/** A connection on which anything may go wrong that may go wrong on a network. */
class ModelConnection implements LaneConnection {
	readonly pendingBytes = 0;
	alive = true;
	readonly #world: World;

	constructor(world: World) {
		this.#world = world;
	}

	async lastBatch() {
		this.#step();
		if (this.#fault(0.1)) throw new OperatingError("nats_timeout", "Lost");
		return this.#world.stream.messages.at(-1);
	}

	async isRemoved(_stream: string, streamSequence: number) {
		this.#step();
		if (this.#fault(0.1)) throw new OperatingError("nats_timeout", "Lost");
		return !this.#world.stream.messages.some((message) => message.streamSequence === streamSequence);
	}

	async request(_subject: string, { headers, body }: OutgoingMessage) {
		this.#step();
		const { stream, late, random } = this.#world;
		const copy = body.slice();
		const arrive = () => stream.take(headers, copy, this.#world.time);
		if (this.#fault(0.05)) throw new OperatingError("nats_timeout", "The message was lost");
		if (this.#fault(0.1)) {
			late.push(arrive);
			throw new OperatingError("nats_timeout", "The message is on its way");
		}
		stream.full = this.#fault(0.05);
		const reply = arrive();
		stream.full = false;
		if (this.#fault(0.1)) throw new OperatingError("nats_timeout", "The answer was lost");
		if (random.chance(0.02)) maybeCrash(this.#world);
		return reply;
	}

	publish(): void {
		assert(false, "A lane of JetStream awaits its acknowledgements");
	}

	flush(): Promise<void> {
		return Promise.reject(new OperatingError("nats_timeout", "Lost"));
	}

	/** Between any two steps time passes, late bytes arrive, and old messages expire. */
	#step(): void {
		const { late, random, stream } = this.#world;
		maybeCrash(this.#world);
		this.#world.time += random.below(20);
		while (late.length > 0 && random.chance(0.3)) late.splice(random.below(late.length), 1)[0]?.();
		if (!this.#fault(0.02)) return;
		const known = stream.messages.filter(({ number }) => number <= this.#world.acknowledged).length;
		stream.expire(random.below(1 + (this.#world.power ? Math.max(0, known - 1) : known)));
	}

	#fault(probability: number): boolean {
		const happens = !this.#world.calm() && this.#world.random.chance(probability);
		if (happens) this.#world.faults++;
		return happens;
	}
}
