import { makeRun } from "../../src/base/run.ts";
import { type LaneState, openLaneState } from "../../src/lane/lane-state.ts";
import { LaneDelivery } from "../../src/orchestrator/lane-delivery.ts";
import { SpooledDelivery } from "../../src/orchestrator/spooled-delivery.ts";
import { Memory } from "../../src/platform/ffi/memory.ts";
import { createNatsSink } from "../../src/sinks/nats/sink.ts";
import { batchHeadroom, batchTailroom } from "../../src/sinks/sink.ts";
import { openSpool } from "../../src/spool/open-spool.ts";
import { localStore } from "../../src/spool/store.ts";
import { createLog, type Log } from "../../src/telemetry/log.ts";
import { CrashFiles } from "../support/crash-files.ts";
import { guardedFiles } from "../support/guarded-files.ts";
import { sinkOptions } from "../support/nats-sink.ts";
import { SpoolDisk } from "../support/spool-disk.ts";
import { FlappingNetwork } from "./flapping-network.ts";
import { ModelStream } from "./model-stream.ts";
import { type Seeded, seeded } from "./seeded.ts";
import { type SimClock, simClock } from "./sim-clock.ts";

/** What a round ended with. */
export interface KeptRound {
	/** What is wrong, undefined for nothing. */
	readonly problem: string | undefined;
	readonly events: number;
	/** Events that no run said to be safe, and that are not in the stream. */
	readonly unsafe: number;
	readonly batches: number;
	readonly lives: number;
	/** Losses of power among the ends of a life. */
	readonly outages: number;
	readonly flaps: number;
	/** Batches that went to disk. */
	readonly spooled: number;
	/** Times that the disk refused. */
	readonly diskFaults: number;
	/** Times that the server took less than before. */
	readonly limits: number;
	/** A number that is the same for the same seed. */
	readonly hash: number;
}

/** Milliseconds of the network's and the agent's troubles, and those of the rest in which everything is to arrive. */
const troubled = 240_000;
const restMax = 300_000;
/** Milliseconds of a life, at most. */
const lifeMax = 60_000;
/** Milliseconds between two batches of the source, at most. */
const intervalMax = 600;
const eventsMax = 60;
/** Bytes of a message that the server takes while it takes less than usual. */
const smallLimits = [2000, 3000, 6000];

/** What outlives a process. */
interface House {
	readonly random: Seeded;
	readonly clock: SimClock;
	readonly network: FlappingNetwork;
	readonly stream: ModelStream;
	readonly files: CrashFiles;
	readonly disk: SpoolDisk;
	readonly log: Log;
	readonly say: (line: string) => void;
	/** A loss of power may end a life: then every batch is synced. */
	readonly power: boolean;
	readonly isAlways: boolean;
	/** Number of the last event that the source made. */
	made: number;
	/** Numbers that a run said to be safe. */
	readonly safe: Set<number>;
	spooled: number;
	unconfirmed: number;
	problem: string | undefined;
	/** The disk refuses. */
	isRefusing: boolean;
	diskFaults: number;
}

/**
 * Minutes of a source that cannot be read again, through the whole way from its batches to the stream, spool, state, circuit breaker and all, while the network flaps, the
 * disk refuses, the server takes less than before, and the process is killed or the power lost in the middle of anything. What a run called safe is in the stream
 * once and in order; what it did not is there once or not at all. Never rejects for what the agent does wrong.
 */
export async function keptRound(seed: number, tell: (line: string) => void = () => undefined): Promise<KeptRound> {
	const house = makeHouse(seed, tell);
	const { random, clock, network, stream, say } = house;
	void network.flap(troubled);
	void troubleDisk(house);
	let limits = 0;
	let lives = 0;
	let outages = 0;
	for (;;) {
		lives++;
		network.payloadBytesMax = random.chance(0.3) && clock.monotonic() < troubled ? (smallLimits[random.below(smallLimits.length)] ?? 0) : 1_048_576;
		if (network.payloadBytesMax < 1_048_576) limits++;
		const isLast = clock.monotonic() >= troubled;
		const life = new Life(house, lives, isLast ? 0 : random.below(400));
		void life.begin();
		await clock.runUntil(clock.monotonic() + (isLast ? restMax : 1000 + random.below(lifeMax)));
		if (isLast) {
			await life.stop();
			break;
		}
		life.kill();
		const isOutage = house.power && random.chance(0.5);
		if (isOutage) outages++;
		say(isOutage ? "--- the power is lost" : "--- the process is killed");
		if (isOutage) house.disk.losePower(() => random.next());
		else house.disk.kill();
		if (isOutage) for (const line of house.files.losePower(random)) say(`disk: ${line}`);
		await clock.runUntil(clock.monotonic() + random.below(3000));
	}
	const { made, spooled, diskFaults } = house;
	const unsafe = check(house);
	const hash = Bun.hash.crc32(JSON.stringify([stream.history.map(({ id, body }) => [id, body]), made, network.flaps]));
	const batches = stream.history.length;
	return { problem: house.problem, events: made, unsafe, batches, lives, outages, flaps: network.flaps, spooled, diskFaults, limits, hash };
}

function makeHouse(seed: number, tell: (line: string) => void): House {
	const random = seeded(seed);
	const clock = simClock();
	const say = (line: string) => tell(`${clock.monotonic().toFixed(0).padStart(8)} ms  ${line}`);
	const stream = new ModelStream("TAPIO", random.chance(0.5) ? 50 : 120_000);
	const log = createLog("debug", "agent", ({ level, message, fields }) => say(`agent: ${level}: ${message} ${JSON.stringify(fields)}`));
	return {
		random,
		clock,
		network: new FlappingNetwork(clock, random, stream, say),
		stream,
		files: new CrashFiles(),
		disk: new SpoolDisk(),
		log,
		say,
		power: random.chance(0.5),
		isAlways: random.chance(0.3),
		made: 0,
		safe: new Set(),
		spooled: 0,
		unconfirmed: 0,
		problem: undefined,
		isRefusing: false,
		diskFaults: 0,
	};
}

/** The disk of the spool refuses now and then, for seconds. */
async function troubleDisk(house: House): Promise<void> {
	const { clock, random, disk, say } = house;
	disk.fails = () => {
		if (!house.isRefusing) return undefined;
		house.diskFaults++;
		return "EIO";
	};
	while (clock.monotonic() < troubled) {
		await clock.sleep(10_000 + random.below(60_000));
		house.isRefusing = random.chance(0.5);
		if (house.isRefusing) say("disk: refuses");
		disk.partial = random.below(200);
		await clock.sleep(random.below(8000));
		house.isRefusing = false;
	}
}

/** One life of the agent, as far as it concerns one lane. */
class Life {
	readonly #house: House;
	readonly #number: number;
	readonly #stop = new AbortController();
	/** Operations of the disk until the process ends in the middle of one; 0 for none. */
	#operations: number;
	#isDead = false;
	#state: LaneState | undefined;
	#lane: SpooledDelivery | undefined;
	#sink: ReturnType<typeof createNatsSink> | undefined;

	constructor(house: House, number: number, operations: number) {
		this.#house = house;
		this.#number = number;
		this.#operations = operations;
	}

	/** Never rejects. */
	async begin(): Promise<void> {
		for (;;) {
			try {
				return await this.#live();
			} catch (error) {
				if (this.#isDead || this.#stop.signal.aborted) return;
				if (!this.#house.isRefusing) {
					this.#house.problem ??= `life ${this.#number} ended: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
					return;
				}
				// A disk that refuses at the start: whoever supervises the agent starts it again.
				await this.#house.clock.sleep(1000);
			}
		}
	}

	/** The process ends: nothing that it would have done happens. */
	kill(): void {
		this.#isDead = true;
		this.#account();
		this.#stop.abort(new Error("killed"));
		void this.#sink?.stop();
	}

	/** Ends it as an operator would. */
	async stop(): Promise<void> {
		const { clock } = this.#house;
		this.#account();
		const left = this.#lane?.account().left.events ?? 0;
		if (left > 0) this.#house.problem ??= `${left} events are on disk at the end`;
		this.#stop.abort(new Error("stopped"));
		void this.#sink?.stop();
		await clock.runUntil(clock.monotonic() + 60_000);
		this.#state?.[Symbol.dispose]();
	}

	#account(): void {
		const account = this.#lane?.account();
		this.#house.spooled += account?.stored.records ?? 0;
		this.#house.unconfirmed += account?.unconfirmed ?? 0;
	}

	/** Throws where the process has ended; where it is to end now, it does. */
	#guard = (): void => {
		if (this.#operations > 0 && --this.#operations === 0 && this.#house.random.chance(0.5)) {
			this.#house.say("the process ends at the disk");
			this.#isDead = true;
			this.#stop.abort(new Error("killed"));
		}
		if (this.#isDead) throw new Error("The process has ended");
	};

	async #live(): Promise<void> {
		const { clock, log, random, network, isAlways, power } = this.#house;
		const { signal } = this.#stop;
		const options = { ...sinkOptions("nats://model:4222"), timing: {} };
		const sink = createNatsSink(options, { clock, log, random: random.next, open: network.open });
		this.#sink = sink;
		const files = this.#house.files.view(({ bytes }) => {
			this.#guard();
			return bytes;
		});
		const state = openLaneState("/s", "kernel", { files, log, randomId: () => `0a1b${this.#number.toString(16)}` });
		this.#state = state;
		const limits = { maxBytes: 64 * 1024 * 1024, maxAge: Number.POSITIVE_INFINITY, fsync: power ? "always" : "never" } as const;
		const spool = localStore(openSpool("/s", { name: "kernel", id: state.id }, limits, { files: guardedFiles(this.#house.disk, this.#guard), log }));
		const run = makeRun(random.next());
		const common = { state, clock, log, signal };
		const direct = sink.lane({ collector: "kernel", id: state.id, cluster: options.cluster, node: options.node });
		const delivery = new LaneDelivery({ ...common, source: "kept", sink: direct, configuration: "" });
		const lane = new SpooledDelivery({ ...common, delivery, spool, mode: isAlways ? "always" : "when-away", run });
		this.#lane = lane;
		await sink.start();
		await this.#feed(lane, run);
	}

	/** Makes events and cuts them into batches, until the life or the troubles end. */
	async #feed(lane: SpooledDelivery, run: number): Promise<void> {
		const house = this.#house;
		const { clock, random } = house;
		let { sequence } = (await lane.open()).mark;
		while (clock.monotonic() < troubled) {
			await clock.sleep(random.below(intervalMax), this.#stop.signal);
			const count = 1 + random.below(eventsMax);
			const numbers = Array.from({ length: count }, () => ++house.made);
			const text = new TextEncoder().encode(JSON.stringify(numbers.map((n) => ({ n, text: "x".repeat(random.below(200)) }))));
			const memory = Memory.allocate(batchHeadroom + text.length + batchTailroom);
			memory.bytes.set(text, batchHeadroom);
			sequence += count;
			const outcome = await lane.send({
				memory,
				offset: batchHeadroom,
				length: text.length,
				count,
				firstSequence: sequence - count + 1,
				lastSequence: sequence,
				lastCursor: "",
				run,
			});
			if (this.#isDead) return;
			if (outcome.kind !== "delivered" || outcome.tooLarge > 0) throw new Error(`A batch became ${JSON.stringify(outcome)}`);
			house.say(`source: ${numbers[0]} to ${numbers.at(-1)}, sequences to ${sequence}, are safe`);
			for (const number of numbers) house.safe.add(number);
		}
	}
}

/** Every event once at most and in order, every safe one there, and the stream's own count right. Returns how many are missing that nobody called safe. */
function check(house: House): number {
	const { stream, safe, made } = house;
	const complain = (problem: string) => {
		house.problem ??= problem;
	};
	const ids = new Set<string>();
	let last = 0;
	let events = 0;
	for (const { id, body, count, published } of stream.history) {
		if (ids.has(id)) complain(`the id ${id} is stored twice`);
		ids.add(id);
		const numbers: { readonly n: number }[] = JSON.parse(body);
		for (const { n } of numbers) {
			if (n <= last) complain(`event ${n} stands behind ${last}, in batch ${id}`);
			last = n;
			safe.delete(n);
		}
		events += count;
		if (numbers.length !== count || published !== events)
			complain(`batch ${id} says ${count} and ${published} events, and it is ${numbers.length} and ${events}`);
	}
	const [missing] = safe;
	if (missing !== undefined) complain(`${safe.size} safe events are not in the stream, the first is ${missing}`);
	return made - events;
}
