import { OperatingError } from "../../base/errors.ts";
import { MiB } from "../../base/units.ts";
import { type Clock, systemClock } from "../../platform/clock.ts";
import { BootClock } from "../../platform/ffi/boot-clock.ts";
import { type BpfSupport, probeBpf } from "../../platform/ffi/bpf-probe.ts";
import { type BpfRing, bpfRingBytes } from "../../platform/ffi/bpf-ring.ts";
import { bpfObject, type LibbpfFiles, openEmbeddedLibraries } from "../../platform/ffi/embedded.ts";
import { Epoll } from "../../platform/ffi/epoll.ts";
import { openLibbpf } from "../../platform/ffi/libbpf.ts";
import { type CgroupHierarchy, kernelBtfPath, readCgroupHierarchy } from "../../platform/kernel-facts.ts";
import { counterOwn, type RecordWriter } from "../../ring/writer.ts";
import type { Health } from "../../telemetry/health.ts";
import type { Collector, CollectorContext, CollectorStatistics } from "../collector.ts";
import type { KernelConfig } from "./config.ts";
import { writeGap } from "./gap-record.ts";
import { describeHealth } from "./health.ts";
import { tapioRecord } from "./layout.gen.ts";
import { Losses } from "./losses.ts";
import { kernelObstacle, readKernelFacts } from "./obstacle.ts";
import { ProgramHost } from "./program-host.ts";
import { type KernelProgram, programs } from "./programs.ts";

/** Own counters, in the order of the definition. */
export const counterLost = counterOwn;
export const counterMalformed = counterOwn + 1;
export const counterGap = counterOwn + 2;

/** Records moved by one poll: some milliseconds. The rest waits for the next. */
const recordsPerPollMax = 8192;
/** Sleep after recent events, and after none for {@link quietAfter}, in milliseconds. */
const busyInterval = 20;
const idleInterval = 50;
const quietAfter = 500;
/** Milliseconds between two looks at the loss counters and the clock. */
const checkInterval = 1000;
/** A loss makes the collector degraded for so many milliseconds. */
const lossRemembered = 60_000;
/** Events whose records a BPF ring has room for, where the configuration does not say. */
const bufferSizeDefault = 10_000;
/** A ring is kernel memory, and charged to the agent's limit: beyond it `buffer_size` only enlarges the agent's own ring. */
const ringBytesMax = 16 * MiB;
/** What a record takes in the kernel's ring: 300 bytes for an exec with 80 bytes of arguments, 170 for the others. */
const recordBytesTypical = 400;

/** Where the parts come from; the defaults are the real ones. */
export interface KernelCollectorOptions {
	readonly clock?: Clock;
	/** libbpf and what it needs, or why there is none. */
	readonly libraries?: () => LibbpfFiles | { readonly absent: string };
	/** The bytes of a BPF object by its name. */
	readonly object?: (name: string) => Uint8Array;
	readonly btfPath?: string;
	/** What the kernel allows, instead of asking it. */
	readonly support?: BpfSupport;
	/** Which cgroup identifies a process, instead of what this node has. */
	readonly hierarchy?: CgroupHierarchy;
	/** Bytes of the BPF ring, instead of what `buffer_size` gives. */
	readonly ringBytes?: number;
}

/** Makes the collector of kernel events. Opens nothing. */
export function createKernelCollector(config: KernelConfig, options: KernelCollectorOptions = {}): Collector {
	return new KernelCollector(config, options);
}

/** Everything that is open between start and stop. */
interface Session {
	readonly context: CollectorContext;
	readonly host: ProgramHost | undefined;
	readonly epoll: Epoll | undefined;
	readonly clock: BootClock;
	readonly losses: Losses;
	readonly kernelReads: boolean;
}

/** Moves records of BPF rings into the agent's ring. All calls from one thread, which owns libbpf. */
class KernelCollector implements Collector {
	readonly name = "kernel";
	readonly #config: KernelConfig;
	readonly #options: KernelCollectorOptions;
	readonly #clock: Clock;
	#session: Session | undefined;
	#moved = 0;
	#lost = 0;
	#malformed = 0;
	#heldBack = 0;
	#activeAt = Number.NEGATIVE_INFINITY;
	#checkedAt = Number.NEGATIVE_INFINITY;
	#lostAt = Number.NEGATIVE_INFINITY;

	constructor(config: KernelConfig, options: KernelCollectorOptions) {
		this.#config = config;
		this.#options = options;
		this.#clock = options.clock ?? systemClock;
	}

	start(context: CollectorContext): void {
		if (this.#session !== undefined) throw new OperatingError("already_started", "Start the kernel collector: it has been started");
		const session = this.#config.enable_ebpf ? this.#openSession(context) : this.#emptySession(context);
		this.#session = session;
		this.#moved = this.#lost = this.#malformed = this.#heldBack = 0;
		this.#lostAt = Number.NEGATIVE_INFINITY;
		this.#checkedAt = this.#clock.monotonic();
		for (const { program, reason } of session.host?.failures ?? []) {
			context.log.warn("A kernel program could not be opened.", { program: program.object, reason });
		}
		context.log.info("Kernel programs are attached.", { programs: (session.host?.attached ?? []).map(({ object }) => object) });
	}

	poll(): number {
		const session = this.#session;
		if (session === undefined) return 0;
		// First, so that a wake-up that comes while we drain is not taken for an old one.
		session.epoll?.acknowledge();
		const moved = this.#drainAll(session, "wait");
		const now = this.#clock.monotonic();
		if (moved > 0) this.#activeAt = now;
		if (now - this.#checkedAt >= checkInterval) this.#check(session, now);
		return moved;
	}

	get pollInterval(): number {
		return this.#clock.monotonic() - this.#activeAt < quietAfter ? busyInterval : idleInterval;
	}

	get descriptor(): number {
		return this.#session?.epoll?.descriptor ?? -1;
	}

	stop(): void {
		const session = this.#session;
		if (session === undefined) return;
		// Detached first: what the programs wrote until then is drained to the end, and nothing comes after the last look at the counters.
		session.host?.detach();
		// Nobody comes back for what does not fit: it is dropped and counted.
		while (this.#drainAll(session, "drop") > 0);
		this.#check(session, this.#clock.monotonic());
		this.#session = undefined;
		session.epoll?.[Symbol.dispose]();
		session.host?.[Symbol.dispose]();
	}

	capabilities(): number {
		return (this.#session?.host?.attached ?? []).reduce((bits, program) => bits | program.capabilities, 0);
	}

	health(): Health {
		const session = this.#session;
		if (session === undefined) return { status: "unknown", message: "Not started." };
		return describeHealth({
			config: this.#config,
			attached: session.host?.attached ?? [],
			failures: session.host?.failures ?? [],
			kernelReads: session.kernelReads,
			lost: this.#lost,
			lostRecently: this.#clock.monotonic() - this.#lostAt < lossRemembered,
		});
	}

	statistics(): CollectorStatistics {
		return { records: this.#moved, lost: this.#lost, malformed: this.#malformed, held_back: this.#heldBack };
	}

	#openSession(context: CollectorContext): Session {
		const facts = readKernelFacts(this.#options.support ?? probeBpf(), this.#options.btfPath ?? kernelBtfPath);
		const obstacle = kernelObstacle(facts);
		if (obstacle !== undefined) throw obstacle;
		const wanted = programs.filter((program) => this.#config.events[program.event]);
		if (wanted.length === 0) return this.#emptySession(context);
		using undo = new DisposableStack();
		const kernelReads = facts.support.kernelReads === 0;
		const host = undo.use(this.#openHost(wanted, kernelReads));
		const first = host.failures[0];
		if (host.attached.length === 0 && first !== undefined) {
			throw new OperatingError("bpf_load", `Open the kernel programs, none of ${host.failures.length} did: ${first.reason}`, { cause: first.error });
		}
		const epoll = undo.use(new Epoll());
		for (const descriptor of host.descriptors) epoll.add(descriptor);
		// What the programs wrote until now counts as a wake-up; the first poll finds it without one.
		epoll.acknowledge();
		undo.move();
		return { ...this.#emptySession(context), host, epoll, kernelReads };
	}

	#openHost(wanted: readonly KernelProgram[], kernelReads: boolean): ProgramHost {
		const files = (this.#options.libraries ?? openEmbeddedLibraries)();
		if ("absent" in files) throw new OperatingError("libbpf_missing", `Load libbpf: ${files.absent}`, { hint: "use a build that carries libbpf" });
		return new ProgramHost(wanted, {
			libbpf: openLibbpf(files),
			object: this.#options.object ?? bpfObject,
			ringBytes:
				this.#options.ringBytes ?? bpfRingBytes(Math.min(ringBytesMax, (this.#config.buffer_size ?? bufferSizeDefault) * recordBytesTypical)),
			hierarchy: this.#options.hierarchy ?? readCgroupHierarchy(),
			kernelReads,
		});
	}

	#emptySession(context: CollectorContext): Session {
		return { context, host: undefined, epoll: undefined, clock: new BootClock(), losses: new Losses(), kernelReads: true };
	}

	/** Takes a bounded number of records from the rings and returns how many. */
	#drainAll(session: Session, whenFull: "wait" | "drop"): number {
		let taken = 0;
		for (const ring of session.host?.rings ?? []) taken += this.#drain(ring, session, recordsPerPollMax - taken, whenFull);
		return taken;
	}

	#drain(ring: BpfRing, { context: { writer }, clock }: Session, recordsMax: number, whenFull: "wait" | "drop"): number {
		let taken = 0;
		ring.refresh();
		while (taken < recordsMax && ring.lease()) {
			if (whenFull === "wait" && ring.length <= writer.lengthMax && !writer.hasRoom(ring.length)) {
				// The kernel's ring is room as well: what waits there is not lost yet, and what finds it full is counted by kind.
				this.#heldBack++;
				ring.unlease();
				break;
			}
			this.#move(ring, writer, clock);
			taken++;
		}
		ring.commit();
		return taken;
	}

	#move(ring: BpfRing, writer: RecordWriter, clock: BootClock): void {
		const offset = writer.reserve(ring.length);
		// No room, now or ever: counted by the writer.
		if (offset === -1) return;
		const { words } = writer.memory;
		const word = offset >>> 2;
		ring.copyTo(writer.memory, offset);
		const type = words[word + tapioRecord.type / 4] ?? 0;
		const program = ring.length < tapioRecord.size ? undefined : programsByType[type];
		if (program === undefined || ring.length < program.bytesMin) {
			writer.discard();
			this.#malformed++;
			writer.count(counterMalformed, 1);
			return;
		}
		words[word + tapioRecord.offsetSeconds / 4] = clock.offsetSeconds;
		words[word + tapioRecord.offsetNanoseconds / 4] = clock.offsetNanoseconds;
		writer.submit(type);
		this.#moved++;
	}

	/** Looks at the clock and at what the kernel had no room for; reports a gap where that moved. */
	#check(session: Session, now: number): void {
		this.#checkedAt = now;
		session.clock.sample();
		const { host, losses, context } = session;
		if (host === undefined) return;
		const before = losses.total;
		for (const { type } of host.attached) losses.note(type, host.lost(type));
		const fresh = losses.total - before;
		if (fresh > 0) {
			this.#lostAt = now;
			this.#lost = losses.total;
			context.writer.count(counterLost, fresh);
			context.log.error("The kernel's ring was full: events are lost.", { lost: fresh });
		}
		const counts = losses.unreported();
		if (counts !== undefined && writeGap(context.writer, session.clock, counts)) {
			losses.report(counts);
			context.writer.count(counterGap, 1);
		}
	}
}

const programsByType: readonly (KernelProgram | undefined)[] = programs.reduce<KernelProgram[]>((table, program) => {
	table[program.type] = program;
	return table;
}, []);
