import type { Pointer } from "bun:ffi";
import { closeSync } from "node:fs";
import { errno, libc } from "./libc.ts";
import { Memory } from "./memory.ts";

/** The number of bpf(2), by architecture. */
const systemCall = process.arch === "arm64" ? 280 : 321;
const commandMapCreate = 0;
const commandProgramLoad = 5;
const mapRingbuf = 27;
const programRawTracepoint = 17;
/** Enough of union bpf_attr for both commands; what is behind is taken as zero. */
const attributeBytes = 72;

/** errno of each attempt, 0 where it went well. */
export interface BpfSupport {
	/** A map of the kind BPF_MAP_TYPE_RINGBUF (kernel 5.8). */
	readonly ring: number;
	/** A program of tracing, which needs CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN. */
	readonly tracing: number;
	/** A program that reads kernel memory by address, which lockdown "confidentiality" refuses. */
	readonly kernelReads: number;
}

/** mov r0, 0; exit */
const nothing = [0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0] as const;

/** r1 = r10 - 8; r2 = 8; r3 = 0; call bpf_probe_read_kernel (113) */
const readKernel = [
	...[0xbf, 0xa1, 0, 0, 0, 0, 0, 0],
	...[0x07, 0x01, 0, 0, 0xf8, 0xff, 0xff, 0xff],
	...[0xb7, 0x02, 0, 0, 8, 0, 0, 0],
	...[0xb7, 0x03, 0, 0, 0, 0, 0, 0],
	...[0x85, 0, 0, 0, 113, 0, 0, 0],
] as const;

/**
 * Asks the kernel what it allows this thread by doing it: creates a small map and loads two tiny programs, which are gone again at once.
 * Takes less than a millisecond, needs no library.
 */
export function probeBpf(): BpfSupport {
	return { ring: createRing(), tracing: loadProgram(nothing), kernelReads: loadProgram([...readKernel, ...nothing]) };
}

function createRing(): number {
	const attributes = Memory.allocate(attributeBytes);
	attributes.words[0] = mapRingbuf;
	attributes.words[3] = libc.getpagesize();
	return attempt(commandMapCreate, attributes);
}

function loadProgram(code: readonly number[]): number {
	const content = Memory.allocate(code.length + 8);
	content.bytes.set(code);
	content.bytes.set([0x47, 0x50, 0x4c, 0], code.length); // "GPL"
	const attributes = Memory.allocate(attributeBytes);
	attributes.words[0] = programRawTracepoint;
	attributes.words[1] = code.length / 8;
	setAddress(attributes, 2, content.addressOf(0));
	setAddress(attributes, 4, content.addressOf(code.length));
	return attempt(commandProgramLoad, attributes);
}

function setAddress(memory: Memory, word: number, address: number): void {
	memory.words[word] = address % 2 ** 32;
	memory.words[word + 1] = Math.floor(address / 2 ** 32);
}

function attempt(command: number, attributes: Memory): number {
	const descriptor = Number(libc.syscall(systemCall, command, attributes.addressOf(0) as Pointer, attributeBytes));
	if (descriptor < 0) return errno();
	closeSync(descriptor);
	return 0;
}
