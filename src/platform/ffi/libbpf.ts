import { dlopen, FFIType, type Pointer, read } from "bun:ffi";
import { closeSync } from "node:fs";
import { assert } from "../../base/assert.ts";
import { OperatingError } from "../../base/errors.ts";
import { type LibbpfFiles, preloadLibrary } from "./embedded.ts";
import { LibbpfLog } from "./libbpf-log.ts";
import { cString, describeErrno, errno } from "./libc.ts";
import { Memory } from "./memory.ts";

const { i32, u32, u64, ptr, bool, cstring, void: none } = FFIType;
/** The type of arguments that are passed as the array itself; dlopen knows it by its word only. */
const buffer = "buffer";

const symbols = {
	libbpf_set_print: { args: [ptr], returns: ptr },
	libbpf_version_string: { args: [], returns: cstring },
	libbpf_num_possible_cpus: { args: [], returns: i32 },
	bpf_map_create: { args: [i32, buffer, u32, u32, u32, ptr], returns: i32 },
	bpf_map_lookup_elem: { args: [i32, ptr, ptr], returns: i32 },
	bpf_object__open_mem: { args: [ptr, u64, ptr], returns: ptr },
	bpf_object__load: { args: [ptr], returns: i32 },
	bpf_object__close: { args: [ptr], returns: none },
	bpf_object__find_map_by_name: { args: [ptr, buffer], returns: ptr },
	bpf_object__find_program_by_name: { args: [ptr, buffer], returns: ptr },
	bpf_map__reuse_fd: { args: [ptr, i32], returns: i32 },
	bpf_map__set_initial_value: { args: [ptr, ptr, u64], returns: i32 },
	bpf_program__set_autoload: { args: [ptr, bool], returns: i32 },
	bpf_program__attach: { args: [ptr], returns: ptr },
	bpf_program__fd: { args: [ptr], returns: i32 },
	bpf_obj_get_info_by_fd: { args: [i32, ptr, ptr], returns: i32 },
	bpf_link__destroy: { args: [ptr], returns: i32 },
	btf__load_vmlinux_btf: { args: [], returns: ptr },
	btf__find_by_name_kind: { args: [ptr, buffer, u32], returns: i32 },
	btf__type_by_id: { args: [ptr, u32], returns: ptr },
	btf__free: { args: [ptr], returns: none },
} as const;

/** enum bpf_map_type of include/uapi/linux/bpf.h. */
const mapTypes = { array: 2, percpuArray: 6, ringbuf: 27 } as const;

const btfKindTypedef = 8;
/** Offset of size or type, and of the members' count, in struct btf_type. */
const btfInfoAt = 4;
const btfWordAt = 8;

/** struct bpf_prog_info up to the member that is read, and where that is (include/uapi/linux/bpf.h). Kernels before 5.12 leave it zero. */
const programInfoBytes = 216;
const recursionMissesAt = 208;

type Api = ReturnType<typeof dlopen<typeof symbols>>["symbols"];

/**
 * Loads libbpf, once per thread that uses it. Throws OperatingError "libbpf_missing" with the loader's words.
 * Only one thread of the process may use it at a time: its log is global.
 */
export function openLibbpf({ libbpfPath, preload }: LibbpfFiles): Libbpf {
	try {
		for (const path of preload) preloadLibrary(path);
		return new Libbpf(dlopen(libbpfPath, symbols).symbols);
	} catch (cause) {
		throw new OperatingError("libbpf_missing", `Load ${libbpfPath}`, { cause, hint: "install libbpf 1.0 or newer" });
	}
}

/** libbpf, with its pointers kept inside. One thread. */
export class Libbpf {
	/** As in "v1.1". */
	readonly version: string;
	/** CPUs the kernel may ever have: values of a per-CPU map. */
	readonly possibleCpus: number;
	readonly #api: Api;
	readonly #log: LibbpfLog;

	/** Only {@link openLibbpf} makes one. */
	constructor(api: Api) {
		this.#api = api;
		this.#log = new LibbpfLog((callback) => api.libbpf_set_print(callback));
		this.version = String(api.libbpf_version_string());
		this.possibleCpus = Math.max(1, api.libbpf_num_possible_cpus());
	}

	/** Creates a map that outlives the objects that share it. Throws OperatingError "bpf_map" with errno. */
	createMap(kind: keyof typeof mapTypes, name: string, entries: number): BpfMap {
		assert(/^[a-z_]{1,15}$/.test(name), "A map's name has at most 15 letters");
		assert(entries > 0 && entries <= 2 ** 30, "A map has entries");
		const [keyBytes, valueBytes] = kind === "ringbuf" ? [0, 0] : [4, 8];
		const { result, lines } = this.#log.capture(() => this.#api.bpf_map_create(mapTypes[kind], cString(name), keyBytes, valueBytes, entries, null));
		if (result < 0) throw failure("bpf_map", `Create the BPF map ${name}`, -result, lines);
		return new BpfMap(this.#api, result, name, kind === "percpuArray" ? this.possibleCpus : 1);
	}

	/** Opens the ELF object `content`, called `name` in messages. Throws OperatingError "bpf_open". */
	open(name: string, content: Uint8Array): BpfObject {
		assert(content.length > 0, "An object has bytes");
		const memory = Memory.allocate(content.length);
		memory.bytes.set(content);
		const { result, lines } = this.#log.capture(() => {
			const handle = pointer(this.#api.bpf_object__open_mem(memory.addressOf(0) as Pointer, content.length, null));
			return handle ?? errno();
		});
		if (isErrno(result)) throw failure("bpf_open", `Open the BPF object ${name}`, result, lines);
		return new BpfObject(this.#api, this.#log, result, name, memory);
	}

	/**
	 * Arguments of a tracepoint of the running kernel (without the leading context pointer), by its BTF typedef; undefined where it has none of that name.
	 * Takes some 10 ms for the first call of a batch: ask for several names at once. Throws OperatingError "kernel_btf".
	 */
	tracepointArguments(names: readonly string[]): Map<string, number | undefined> {
		const { result: btf, lines } = this.#log.capture(() => pointer(this.#api.btf__load_vmlinux_btf()));
		if (btf === null) throw failure("kernel_btf", "Read the type information of the kernel", errno(), lines);
		const counts = new Map(names.map((name) => [name, this.#countArguments(btf, name)] as const));
		this.#api.btf__free(btf);
		return counts;
	}

	#countArguments(btf: Pointer, tracepoint: string): number | undefined {
		const typedef = this.#api.btf__find_by_name_kind(btf, cString(`btf_trace_${tracepoint}`), btfKindTypedef);
		if (typedef < 0) return undefined;
		// typedef to a pointer to a function prototype: the word of the first two is the next type.
		const target = this.#referenced(btf, typedef);
		const prototype = target === undefined ? undefined : this.#referenced(btf, target);
		const type = prototype === undefined ? null : this.#api.btf__type_by_id(btf, prototype);
		return type === null ? undefined : (read.u32(type, btfInfoAt) & 0xffff) - 1;
	}

	#referenced(btf: Pointer, id: number): number | undefined {
		const type = this.#api.btf__type_by_id(btf, id);
		return type === null ? undefined : read.u32(type, btfWordAt);
	}
}

/** A map and its descriptor. */
export class BpfMap implements Disposable {
	readonly name: string;
	readonly descriptor: number;
	readonly #api: Api;
	readonly #cpus: number;
	readonly #values: Memory;
	#open = true;

	/** Only {@link Libbpf.createMap} makes one. */
	constructor(api: Api, descriptor: number, name: string, cpus: number) {
		this.#api = api;
		this.descriptor = descriptor;
		this.name = name;
		this.#cpus = cpus;
		this.#values = Memory.allocate(8 + 8 * cpus);
	}

	/** The 64-bit value of a key, summed over all CPUs; exact below 2^53. Throws OperatingError "bpf_lookup". */
	sum(key: number): number {
		assert(this.#open, "The map is open");
		const { words } = this.#values;
		words[0] = key;
		const result = this.#api.bpf_map_lookup_elem(this.descriptor, this.#values.addressOf(0) as Pointer, this.#values.addressOf(8) as Pointer);
		if (result < 0) throw failure("bpf_lookup", `Read key ${key} of the BPF map ${this.name}`, -result, []);
		let sum = 0;
		for (let cpu = 0; cpu < this.#cpus; cpu++) sum += (words[2 + 2 * cpu] ?? 0) + (words[3 + 2 * cpu] ?? 0) * 2 ** 32;
		return sum;
	}

	/** Closes the descriptor. Safe twice. The kernel keeps the map as long as a program uses it. */
	[Symbol.dispose](): void {
		if (!this.#open) return;
		this.#open = false;
		closeSync(this.descriptor);
	}
}

/** An opened object: share maps and set data, then load, then attach. Disposing detaches what is attached, 60 to 190 ms each. */
export class BpfObject implements Disposable {
	readonly name: string;
	readonly #api: Api;
	readonly #log: LibbpfLog;
	readonly #content: Memory;
	readonly #links: Pointer[] = [];
	readonly #info = Memory.allocate(programInfoBytes + 8);
	#handle: Pointer | null;

	/** Only {@link Libbpf.open} makes one. */
	constructor(api: Api, log: LibbpfLog, handle: Pointer, name: string, content: Memory) {
		this.#api = api;
		this.#log = log;
		this.#handle = handle;
		this.name = name;
		this.#content = content;
	}

	/** Uses `map` for the object's map of the same name; nothing where it has none. Before load. Throws OperatingError "bpf_map". */
	share(map: BpfMap): void {
		const own = this.#api.bpf_object__find_map_by_name(this.#open(), cString(map.name));
		if (own === null) return;
		const { result, lines } = this.#log.capture(() => this.#api.bpf_map__reuse_fd(own, map.descriptor));
		if (result < 0) throw failure("bpf_map", `Share the BPF map ${map.name} with ${this.name}`, -result, lines);
	}

	/** Sets the object's constants (`.rodata`) to `data`, which has exactly their size. Before load. Throws OperatingError "bpf_constants". */
	setConstants(data: Memory, length: number): void {
		const map = this.#api.bpf_object__find_map_by_name(this.#open(), cString(".rodata"));
		if (map === null) throw failure("bpf_constants", `Find the constants of ${this.name}`, 2, []);
		const { result, lines } = this.#log.capture(() => this.#api.bpf_map__set_initial_value(map, data.addressOf(0) as Pointer, length));
		if (result < 0) throw failure("bpf_constants", `Set the constants of ${this.name}`, -result, lines);
	}

	/** Loads `program` as well, of those marked with `?`. Before load. Throws OperatingError "bpf_program". */
	select(program: string): void {
		const { result, lines } = this.#log.capture(() => this.#api.bpf_program__set_autoload(this.#program(program), true));
		if (result < 0) throw failure("bpf_program", `Select the BPF program ${program}`, -result, lines);
	}

	/** Hands everything to the kernel, whose verifier decides. Some 15 ms. Throws OperatingError "bpf_load" with errno and the verifier's last words. */
	load(): void {
		const handle = this.#open();
		const { result, lines } = this.#log.capture(() => this.#api.bpf_object__load(handle));
		if (result < 0) throw failure("bpf_load", `Load the BPF object ${this.name}`, -result, lines);
		// libbpf has copied what it needs.
		assert(this.#content.length > 0, "The object's bytes lived until the load");
	}

	/** Attaches a loaded program where its section says. Throws OperatingError "bpf_attach" with errno. */
	attach(program: string): void {
		const handle = this.#program(program);
		const { result, lines } = this.#log.capture(() => pointer(this.#api.bpf_program__attach(handle)) ?? errno());
		if (isErrno(result)) throw failure("bpf_attach", `Attach the BPF program ${program}`, result, lines);
		this.#links.push(result);
	}

	/**
	 * How often the kernel passed over a loaded program because it was running on that CPU already, since the load. What it would have reported is lost.
	 * Throws OperatingError "bpf_info".
	 */
	misses(program: string): number {
		const descriptor = this.#api.bpf_program__fd(this.#program(program));
		const { words } = this.#info;
		words.fill(0);
		words[programInfoBytes / 4] = programInfoBytes;
		const at = this.#info.addressOf(0);
		const result = this.#api.bpf_obj_get_info_by_fd(descriptor, at as Pointer, (at + programInfoBytes) as Pointer);
		if (result < 0) throw failure("bpf_info", `Read about the BPF program ${program}`, -result, []);
		return (words[recursionMissesAt / 4] ?? 0) + (words[recursionMissesAt / 4 + 1] ?? 0) * 2 ** 32;
	}

	/** Detaches and unloads. Safe twice. */
	[Symbol.dispose](): void {
		const handle = this.#handle;
		if (handle === null) return;
		this.#handle = null;
		this.#log.capture(() => {
			for (const link of this.#links.splice(0)) this.#api.bpf_link__destroy(link);
			this.#api.bpf_object__close(handle);
		});
	}

	#open(): Pointer {
		assert(this.#handle !== null, "The object is open");
		return this.#handle;
	}

	#program(name: string): Pointer {
		const program = pointer(this.#api.bpf_object__find_program_by_name(this.#open(), cString(name)));
		if (program === null) throw failure("bpf_program", `Find the BPF program ${name} in ${this.name}`, 2, []);
		return program;
	}
}

/** bun:ffi says BigInt only above 2^53, where no address of a process lies. */
function pointer(value: Pointer | bigint | null): Pointer | null {
	assert(typeof value !== "bigint", "An address is below 2^53");
	return value;
}

/** Addresses are far above, errno values far below the end of the first page. */
function isErrno(value: Pointer | number): value is number {
	return value < 4096;
}

function failure(code: string, step: string, number: number, lines: readonly string[]): OperatingError {
	return new OperatingError(code, `${step}: ${describeErrno(number)}`, { errno: number, log: lines });
}
