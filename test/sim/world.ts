import { OperatingError } from "../../src/base/errors.ts";
import type { Clock } from "../../src/platform/clock.ts";
import { createLog, type Log } from "../../src/telemetry/log.ts";
import { CrashFiles, type DiskKind, type DiskOperation } from "../support/crash-files.ts";
import { ModelStream } from "./model-stream.ts";
import { type Seeded, seeded } from "./seeded.ts";

/** Steps of a round. Beyond it something stands still. */
const stepsMax = 40_000;

/** Operations that a disk refuses before it is well again, at most. */
const troubleMax = 40;

/** The process ends here, in the middle of what it does. */
export class Crash extends Error {}

/** What the disk does wrong: from its operation `from` on the next `times` ones, of one kind or of all. */
export interface DiskTrouble {
	readonly from: number;
	readonly times: number;
	readonly kind: DiskKind | undefined;
	/** A write takes a part and says so, and the next one fails, as where a disk is full. */
	readonly short: boolean;
}

/** How a round is played. */
export interface RoundPlan {
	/** A step ends the process this often. */
	readonly crashes: number;
	/** A step of the network goes wrong this often; 1 for as often as usual. */
	readonly network: number;
	/** An end of the process may be that of the whole machine. */
	readonly power: boolean;
	/** The server goes back to an earlier state now and then. */
	readonly forgets: boolean;
	/** Undefined: none. */
	readonly trouble: DiskTrouble | undefined;
	/** The disk refuses now and then. */
	readonly troubles: boolean;
	/** Manifests are so long that the state is compacted every few batches. */
	readonly compacts: boolean;
}

/** What a round plays with, from its first step to its last: time, chance, a stream, a network and a disk. */
export class World {
	readonly random: Seeded;
	readonly stream: ModelStream;
	readonly files = new CrashFiles();
	/** Messages of connections that ended, which may still arrive. */
	readonly late: (() => void)[] = [];
	readonly plan: RoundPlan;
	readonly clock: Clock;
	readonly log: Log;
	readonly tell: (line: string) => void;
	/** Batch that the state says to be delivered. Later ones do not expire: a limit that removes what nobody has heard of is no retention. */
	acknowledged = 0;
	time = 0;
	crashes = 0;
	networkFaults = 0;
	/** Operations of the disk, and those of them that failed or fell short. */
	diskOperations = 0;
	diskFaults = 0;
	/** Said by the agent as an error, but for what a disk that refuses explains; and what the network saw and should not have. */
	readonly errors: string[] = [];
	/** What the state was given to keep when it last said that it had: the end of the process takes none of it away, a loss of power may. */
	kept: { readonly sequence: number; readonly place: number } | undefined;
	/** A batch was sent whose manifest the disk had taken. */
	hasSent = false;
	/** Content by id of everything that was sent. */
	readonly #sent = new Map<string, string>();
	#steps = 0;
	#isDead = false;
	#trouble: DiskTrouble | undefined;
	#troubleLeft = 0;
	#isRefused = false;
	#tookPart = false;

	constructor(seed: number, plan: (random: Seeded) => RoundPlan, tell?: (line: string) => void) {
		this.random = seeded(seed);
		this.plan = plan(this.random);
		this.#trouble = this.plan.trouble;
		this.#troubleLeft = this.plan.trouble?.times ?? 0;
		this.stream = new ModelStream("TAPIO", this.random.chance(0.5) ? 50 : 100_000);
		this.tell = tell === undefined ? () => undefined : (line) => tell(`${this.time.toFixed(0).padStart(8)} ms  ${line}`);
		this.clock = {
			now: () => this.time,
			monotonic: () => this.time,
			sleep: async (duration) => {
				this.time += duration;
			},
		};
		this.log = createLog("debug", "agent", ({ level, message, fields }) => {
			this.tell(`agent: ${level}: ${message} ${JSON.stringify(fields)}`);
			const isExpected = this.plan.forgets && message === "The stream holds less than it acknowledged.";
			if (level === "error" && !isExpected && message !== "The state of a lane cannot be written.") this.errors.push(message);
		});
	}

	/** No more faults: a round comes to an end. */
	get isCalm(): boolean {
		return this.#steps > stepsMax / 2;
	}

	/** The process has ended. */
	get isDead(): boolean {
		return this.#isDead;
	}

	/** The stream may outlive what the agent knows of it. If so the newest message never expires: with both gone nobody would know what was delivered. */
	get isForgetful(): boolean {
		return this.plan.power || this.plan.forgets || this.plan.troubles || this.plan.trouble !== undefined;
	}

	/** Between any two steps the process may end. Throws Crash where it does, and wherever it goes on as if it had not noticed. */
	step(): void {
		if (this.#isDead) throw new Crash();
		if (++this.#steps > stepsMax) throw new Error("The round does not come to an end");
		if (this.isCalm || !this.random.chance(this.plan.crashes)) return;
		this.#isDead = true;
		throw new Crash();
	}

	/** Sees a batch leave. As long as no manifest is lost, an id stands for one content. */
	note(id: string, body: string): void {
		const before = this.#sent.get(id);
		if (this.diskFaults === 0) this.hasSent = true;
		if (before !== undefined && before !== body && !this.plan.power && this.diskFaults === 0)
			this.errors.push(`${id} was ${before} and is ${body} now`);
		this.#sent.set(id, body);
	}

	/** Whether something that goes wrong with this probability does so now. */
	fault(probability: number): boolean {
		const happens = !this.isCalm && this.random.chance(probability * this.plan.network);
		if (happens) this.networkFaults++;
		return happens;
	}

	/** The last operation of the disk failed. */
	get isRefused(): boolean {
		return this.#isRefused;
	}

	/** What the disk does with an operation: see DiskWatch. */
	disk({ kind, path, bytes }: DiskOperation): number {
		this.step();
		const number = ++this.diskOperations;
		if (this.#troubleLeft === 0 && this.plan.troubles && !this.isCalm && this.random.chance(0.02)) this.#beginTrouble(number);
		const trouble = this.#trouble;
		const isShort = trouble?.short === true && kind === "write";
		const isWrong =
			trouble !== undefined && this.#troubleLeft > 0 && number >= trouble.from && (trouble.short ? isShort : (trouble.kind ?? kind) === kind);
		const takesPart = isWrong && isShort && bytes > 1 && !this.#tookPart;
		this.#tookPart = takesPart;
		this.#isRefused = isWrong && !takesPart;
		if (isWrong) {
			this.#troubleLeft--;
			this.diskFaults++;
			this.tell(`disk: ${kind} ${path}: ${takesPart ? `takes a part of ${bytes} bytes` : "fails"}`);
			if (takesPart) return 1 + this.random.below(bytes - 1);
			throw new Error(`EIO: ${kind} ${path}`);
		}
		// A process that ends in a write leaves a part of it behind: the next step finds it dead.
		if (kind === "write" && !this.isCalm && this.random.chance(this.plan.crashes)) {
			this.#isDead = true;
			return 1 + this.random.below(bytes);
		}
		this.tell(`disk: ${kind} ${path}${bytes > 0 ? `, ${bytes} bytes` : ""}`);
		return bytes;
	}

	#beginTrouble(from: number): void {
		const kinds: readonly (DiskKind | undefined)[] = [undefined, undefined, "open", "write", "truncate", "sync", "rename", "sync_folder"];
		this.#troubleLeft = 1 + this.random.below(troubleMax);
		this.#trouble = { from, times: this.#troubleLeft, kind: kinds[this.random.below(kinds.length)], short: this.random.chance(0.3) };
	}

	/** The process begins again, after it was killed or the power was lost. */
	restart(): void {
		this.crashes++;
		this.#isDead = false;
		const power = this.plan.power && this.random.chance(0.6);
		this.tell(power ? "--- the power is lost" : "--- the process is killed");
		if (power) this.kept = undefined;
		if (power) for (const line of this.files.losePower(this.random)) this.tell(`disk: ${line}`);
	}

	/** What the error means: true where the process ended, false where the disk refused what the agent cannot begin without. Anything else is thrown. */
	isEnd(error: unknown): boolean {
		if (this.#isDead) return true;
		const isRefusal = error instanceof OperatingError && ["state_open", "state_write"].includes(error.code);
		if (!isRefusal || !this.isForgetful || this.diskFaults === 0) throw error;
		return false;
	}
}
