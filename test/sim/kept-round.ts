import { makeRun } from "../../src/base/run.ts";
import { type LaneState, openLaneState } from "../../src/lane/lane-state.ts";
import { adoptSpool } from "../../src/orchestrator/adopt-spool.ts";
import type { BatchDelivery } from "../../src/orchestrator/batch-delivery.ts";
import { LaneDelivery } from "../../src/orchestrator/lane-delivery.ts";
import { SpooledDelivery } from "../../src/orchestrator/spooled-delivery.ts";
import { Memory } from "../../src/platform/ffi/memory.ts";
import { createHeaderWriter } from "../../src/sinks/nats/headers.ts";
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
	/** Times that the lane's state was lost, that a life could not open its spool, and that an agent on a copy of the state published something. */
	readonly losses: number;
	readonly withoutSpool: number;
	readonly copies: number;
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
	/** Numbers that a run said to be safe, and those that fit no small message. */
	readonly safe: Set<number>;
	readonly unfit: Set<number>;
	losses: number;
	withoutSpool: number;
	copies: number;
	outages: number;
	spooled: number;
	unconfirmed: number;
	problem: string | undefined;
	/** The disk refuses. */
	isRefusing: boolean;
	diskFaults: number;
}

/**
 * Minutes of a source that cannot be read again, through the whole way from its batches to the stream, spool, state, circuit breaker and all, while the network flaps, the
 * disk refuses, the server takes less than before, events fit in no message, the state is lost, an agent on a copy of it publishes, the spool cannot be opened, and the
 * process is killed or the power lost in the middle of anything. What a run called safe is in the stream
 * once and in order; what it did not is there once or not at all. Never rejects for what the agent does wrong.
 */
export async function keptRound(seed: number, tell: (line: string) => void = () => undefined): Promise<KeptRound> {
	const house = makeHouse(seed, tell);
	const { random, clock, network, stream, say } = house;
	void network.flap(troubled);
	void troubleDisk(house);
	let limits = 0;
	let lives = 0;
	for (;;) {
		lives++;
		network.payloadBytesMax = random.chance(0.3) && clock.monotonic() < troubled ? (smallLimits[random.below(smallLimits.length)] ?? 0) : 1_048_576;
		if (network.payloadBytesMax < 1_048_576) limits++;
		const isLast = clock.monotonic() >= troubled;
		const life = new Life(house, lives, { operations: isLast ? 0 : random.below(400), isLast });
		void life.begin();
		await clock.runUntil(clock.monotonic() + (isLast ? restMax : 1000 + random.below(lifeMax)));
		if (isLast) {
			await life.stop();
			break;
		}
		life.kill();
		const isOutage = house.power && random.chance(0.5);
		if (isOutage) house.outages++;
		say(isOutage ? "--- the power is lost" : "--- the process is killed");
		if (isOutage) house.disk.losePower(() => random.next());
		else house.disk.kill();
		if (isOutage) for (const line of house.files.losePower(random)) say(`disk: ${line}`);
		// What was on its way has arrived, or never will.
		await clock.runUntil(clock.monotonic() + 100 + random.below(3000));
		if (random.chance(0.1)) loseState(house);
		if (random.chance(0.1)) publishFromCopy(house);
	}
	const { made, spooled, diskFaults, outages, losses, withoutSpool, copies } = house;
	const unsafe = check(house);
	const hash = Bun.hash.crc32(JSON.stringify([stream.history.map(({ id, body }) => [id, body]), made, network.flaps]));
	const batches = stream.history.length;
	const told = { limits, losses, withoutSpool, copies };
	return { problem: house.problem, events: made, unsafe, batches, lives, outages, flaps: network.flaps, spooled, diskFaults, ...told, hash };
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
		unfit: new Set(),
		losses: 0,
		withoutSpool: 0,
		copies: 0,
		outages: 0,
		spooled: 0,
		unconfirmed: 0,
		problem: undefined,
		isRefusing: false,
		diskFaults: 0,
	};
}

/** The file of the lane is gone. */
function loseState(house: House): void {
	const files = house.files.view(({ bytes }) => bytes);
	// The life before ended before it had one.
	if (files.read("/s/lanes/kernel.lane") === undefined) return;
	house.losses++;
	house.say("--- the state of the lane is lost");
	files.rename("/s/lanes/kernel.lane", `/s/lost-${house.losses}`);
}

/** An agent on a copy of the state folder publishes a batch of its own, and is gone again. Its event has the number 0. */
function publishFromCopy(house: House): void {
	const { stream, random, clock, say } = house;
	const last = stream.messages.at(-1);
	if (last === undefined) return;
	house.copies++;
	const { lane: id, number, sequence, published, streamSequence } = last;
	const memory = Memory.allocate(8);
	const batch = {
		number: number + 1,
		memory,
		offset: 0,
		length: 1,
		count: 1,
		lastSequence: sequence + 1,
		lastCursor: "",
		run: makeRun(random.next()),
	};
	const headers = createHeaderWriter({ collector: "kernel", id, cluster: "c", node: "n" }, "TAPIO").encode(
		batch,
		streamSequence,
		false,
		published + 1,
	);
	say("--- an agent on a copy publishes");
	stream.take(headers, new TextEncoder().encode('[{"n":0}]'), clock.monotonic());
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
	readonly #isLast: boolean;
	readonly #stop = new AbortController();
	/** Operations of the disk until the process ends in the middle of one; 0 for none. */
	#operations: number;
	#isDead = false;
	#state: LaneState | undefined;
	#lane: SpooledDelivery | undefined;
	#sink: ReturnType<typeof createNatsSink> | undefined;

	constructor(house: House, number: number, { operations, isLast }: { readonly operations: number; readonly isLast: boolean }) {
		this.#isLast = isLast;
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
		const disk = guardedFiles(this.#house.disk, this.#guard);
		const run = makeRun(random.next());
		const common = { state, clock, log, signal };
		const direct = sink.lane({ collector: "kernel", id: state.id, cluster: options.cluster, node: options.node });
		const owner = adoptSpool(state, { directory: "/s", name: "kernel", files: disk, log });
		await sink.start();
		if (!isAlways && !this.#isLast && random.chance(0.1)) {
			// As where a file of the spool cannot be read: the lane goes on without it.
			this.#house.withoutSpool++;
			return await this.#feed(new LaneDelivery({ ...common, source: "live", sink: direct, configuration: "" }), run);
		}
		const spool = localStore(openSpool("/s", owner, limits, { files: disk, log }));
		const delivery = new LaneDelivery({ ...common, source: "kept", sink: direct, configuration: "" });
		const lane = new SpooledDelivery({ ...common, delivery, spool, mode: isAlways ? "always" : "when-away", run });
		this.#lane = lane;
		await this.#feed(lane, run);
	}

	/** Now and then one whose length is in numbers, which cannot be cut. */
	#event(n: number): object {
		const { random, unfit } = this.#house;
		if (!random.chance(0.002)) return { n, text: "x".repeat(random.below(200)) };
		unfit.add(n);
		return { n, list: Array.from({ length: 700 }, () => 1_234_567_890) };
	}

	/** Makes events and cuts them into batches, until the life or the troubles end. */
	async #feed(lane: BatchDelivery, run: number): Promise<void> {
		const house = this.#house;
		const { clock, random } = house;
		let { sequence } = (await lane.open()).mark;
		while (clock.monotonic() < troubled) {
			await clock.sleep(random.below(intervalMax), this.#stop.signal);
			const count = 1 + random.below(eventsMax);
			const numbers = Array.from({ length: count }, () => ++house.made);
			const text = new TextEncoder().encode(JSON.stringify(numbers.map((n) => this.#event(n))));
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
			const unfit = numbers.filter((n) => house.unfit.has(n)).length;
			if (outcome.kind !== "delivered" || outcome.tooLarge > unfit) throw new Error(`A batch became ${JSON.stringify(outcome)}`);
			house.say(`source: ${numbers[0]} to ${numbers.at(-1)}, sequences to ${sequence}, are safe`);
			for (const number of numbers) house.safe.add(number);
		}
	}
}

/** False where nobody can know what of the spool was delivered: a batch of another agent, or of a life without the spool, hides it. Nothing is lost all the same. */
function isToldApart({ withoutSpool, copies }: House): boolean {
	return withoutSpool === 0 && copies === 0;
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
	let copied = 0;
	const seen = new Set<number>();
	let begun = { lane: "", events: 0 };
	for (const { id, lane, body, count, published } of stream.history) {
		// A lane whose state was lost counts anew.
		if (lane !== begun.lane) begun = { lane, events };
		if (ids.has(id)) complain(`the id ${id} is stored twice`);
		ids.add(id);
		const numbers: { readonly n: number }[] = JSON.parse(body);
		for (const { n } of numbers) {
			if (n === 0) {
				copied++;
				continue;
			}
			if (seen.has(n) && isToldApart(house)) complain(`event ${n} is stored twice, the second time in batch ${id}`);
			// A life without its spool goes past what is on disk.
			if (n <= last && isToldApart(house)) complain(`event ${n} stands behind ${last}, in batch ${id}`);
			seen.add(n);
			last = n;
			safe.delete(n);
		}
		events += count;
		if (numbers.length !== count || published !== events - begun.events)
			complain(`batch ${id} says ${count} and ${published} events, and it is ${numbers.length} and ${events - begun.events}`);
	}
	const [missing] = [...safe].filter((number) => !house.unfit.has(number));
	if (missing !== undefined) complain(`safe events are not in the stream, the first is ${missing}`);
	return made - events + copied;
}
