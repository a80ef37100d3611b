import { OperatingError } from "../../base/errors.ts";
import { describeStructure, readObjectBtf } from "../../platform/btf.ts";
import { BpfRing, pageBytes } from "../../platform/ffi/bpf-ring.ts";
import type { BpfMap, BpfObject, Libbpf } from "../../platform/ffi/libbpf.ts";
import { Memory } from "../../platform/ffi/memory.ts";
import type { CgroupHierarchy } from "../../platform/kernel-facts.ts";
import { closeStrayLinks } from "../../platform/stray-links.ts";
import { layoutSignatures, tapioCgroupMode, tapioConfig, tapioType } from "./layout.gen.ts";
import { describeFailure } from "./obstacle.ts";
import type { KernelProgram } from "./programs.ts";

/** What the programs are told, and where they come from. */
export interface HostOptions {
	readonly libbpf: Libbpf;
	/** The bytes of bpf/<name>.bpf.o. */
	readonly object: (name: string) => Uint8Array;
	/** Bytes of each ring: a power of two of whole pages. */
	readonly ringBytes: number;
	readonly hierarchy: CgroupHierarchy;
	/** False where lockdown forbids reading kernel memory by address: interpreters and nested pid numbers are then unknown. */
	readonly kernelReads: boolean;
}

/** A program that could not be opened. */
export interface ProgramFailure {
	readonly program: KernelProgram;
	/** One line for a person. */
	readonly reason: string;
	readonly error: unknown;
}

/** A program in the kernel. */
interface OpenProgram {
	readonly object: BpfObject;
	/** Name of the variant. */
	readonly name: string;
	/** What the kernel passed over, once detached. */
	misses: number;
}

/** Hosts of this thread that are attached. All of BPF is one thread's. */
let hostsOpen = 0;

const modes = { unified: tapioCgroupMode.cgroupUnified, memory: tapioCgroupMode.cgroupMemory, pids: tapioCgroupMode.cgroupPids } as const;

/** A share of the ring: when it is full to there, the reader is woken and does not wait for its timer. */
const wakeShare = 4;

/**
 * Programs in the kernel, with the maps they share: one ring per name, one counter of losses per kind of record. What opens is used, what does not
 * is a failure with its reason. One thread.
 */
export class ProgramHost implements Disposable {
	/** What is attached. */
	readonly attached: readonly KernelProgram[];
	readonly failures: readonly ProgramFailure[];
	readonly rings: readonly BpfRing[];
	/** Descriptors of the rings, for an epoll; valid until disposed of. */
	readonly descriptors: readonly number[];
	readonly #open = new Map<number, OpenProgram>();
	readonly #maps: BpfMap[];
	readonly #lost: BpfMap;
	#detached = false;

	/** Opens, loads and attaches `programs`. Throws OperatingError "bpf_map" or "mmap" where even the rings cannot be made. */
	constructor(programs: readonly KernelProgram[], options: HostOptions) {
		const { libbpf, ringBytes } = options;
		// A thread that was ended without a word took its objects along, but not the links in the kernel.
		if (hostsOpen === 0) closeStrayLinks();
		using undo = new DisposableStack();
		this.#lost = undo.use(libbpf.createMap("percpuArray", "lost", tapioType.typesMax));
		const woken = undo.use(libbpf.createMap("array", "woken", 1));
		const names = [...new Set(programs.map(({ ring }) => ring))];
		const ringMaps = names.map((name) => undo.use(libbpf.createMap("ringbuf", name, ringBytes)));
		this.#maps = [this.#lost, woken, ...ringMaps];
		this.rings = ringMaps.map((map) => undo.use(new BpfRing(map.descriptor, ringBytes)));
		this.descriptors = ringMaps.map((map) => map.descriptor);
		const variants = libbpf.tracepointArguments(programs.flatMap((program) => program.variants.map(({ tracepoint }) => tracepoint)));
		const failures: ProgramFailure[] = [];
		const attempt = (program: KernelProgram, step: () => void): void => {
			try {
				step();
			} catch (error) {
				// One program less: the others go on, and health says what is missing.
				failures.push({ program, reason: describeFailure(error), error });
			}
		};
		for (const program of programs) attempt(program, () => void this.#open.set(program.type, this.#load(program, variants, options)));
		// All are loaded before the first is attached, so that they begin within a millisecond of each other.
		for (const program of programs) attempt(program, () => this.#attach(program));
		this.attached = programs.filter(({ type }) => this.#open.has(type));
		this.failures = failures;
		undo.move();
		hostsOpen++;
	}

	/**
	 * Records of a kind that are lost, since the host was made: the ring had no room, or the kernel passed over the program. Throws OperatingError
	 * "bpf_lookup" or "bpf_info".
	 */
	lost(type: number): number {
		const open = this.#open.get(type);
		const misses = open === undefined ? 0 : this.#detached ? open.misses : open.object.misses(open.name);
		return this.#lost.sum(type) + misses;
	}

	/** Takes the programs out of the kernel; the rings stay and can be drained to the end. Up to 190 ms per program. Safe twice. */
	detach(): void {
		if (this.#detached) return;
		this.#detached = true;
		// Asked for a last time: afterwards there is no program to ask about.
		for (const open of this.#open.values()) {
			open.misses = open.object.misses(open.name);
			open.object[Symbol.dispose]();
		}
		hostsOpen--;
	}

	/** Detaches and gives everything back. Safe twice. */
	[Symbol.dispose](): void {
		this.detach();
		for (const ring of this.rings) ring[Symbol.dispose]();
		for (const map of this.#maps) map[Symbol.dispose]();
	}

	#load(program: KernelProgram, tracepoints: ReadonlyMap<string, number | undefined>, options: HostOptions): OpenProgram {
		const variant = program.variants.find(({ tracepoint, arguments: count }) => tracepoints.get(tracepoint) === count);
		if (variant === undefined) throw noVariant(program, tracepoints);
		const content = options.object(program.object);
		checkLayout(program.object, content);
		using undo = new DisposableStack();
		const object = undo.use(options.libbpf.open(program.object, content));
		for (const map of this.#maps) object.share(map);
		object.setConstants(constants(options), tapioConfig.size);
		object.select(variant.program);
		object.load();
		undo.move();
		return { object, name: variant.program, misses: 0 };
	}

	/** Nothing where the program is not loaded. */
	#attach(program: KernelProgram): void {
		const open = this.#open.get(program.type);
		if (open === undefined) return;
		try {
			open.object.attach(open.name);
		} catch (error) {
			this.#open.delete(program.type);
			open.object[Symbol.dispose]();
			throw error;
		}
	}
}

function noVariant(program: KernelProgram, tracepoints: ReadonlyMap<string, number | undefined>): OperatingError {
	const name = program.variants[0]?.tracepoint ?? program.object;
	const found = tracepoints.get(name);
	const has = found === undefined ? "this kernel has no such tracepoint" : `this kernel's tracepoint has ${found} arguments`;
	return new OperatingError("bpf_tracepoint", `Attach ${program.object} to ${name}: ${has}`, { hint: "this build knows Linux 5.10 to 6.18" });
}

/** Proves that the object and this code are of one build. Throws OperatingError "bpf_layout". */
function checkLayout(name: string, content: Uint8Array): void {
	let compared = 0;
	for (const [structure, layout] of readObjectBtf(content).structures) {
		const expected = layoutSignatures[structure];
		if (expected === undefined) continue;
		compared++;
		if (describeStructure(layout) !== expected) {
			throw new OperatingError("bpf_layout", `Compare struct ${structure} of the BPF object ${name} with this build`, {
				hint: "objects and agent are of different builds: build both anew",
			});
		}
	}
	if (compared === 0) throw new OperatingError("bpf_layout", `Compare the BPF object ${name} with this build: it has none of our structures`);
}

/** struct tapio_config. */
function constants({ ringBytes, hierarchy, kernelReads }: HostOptions): Memory {
	const memory = Memory.allocate(tapioConfig.size);
	memory.words[tapioConfig.wakeBytes / 4] = ringBytes / wakeShare;
	memory.words[tapioConfig.pageBytes / 4] = pageBytes;
	memory.words[tapioConfig.cgroupMode / 4] = modes[hierarchy];
	memory.words[tapioConfig.kernelReads / 4] = kernelReads ? 1 : 0;
	return memory;
}
