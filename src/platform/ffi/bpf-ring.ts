import type { Pointer } from "bun:ffi";
import { toArrayBuffer } from "bun:ffi";
import { assert } from "../../base/assert.ts";
import { OperatingError } from "../../base/errors.ts";
import { describeErrno, errno, libc } from "./libc.ts";
import { Memory } from "./memory.ts";

const protRead = 1;
const protReadWrite = 3;
const mapShared = 1;
/** Bits of a record's header (include/uapi/linux/bpf.h: BPF_RINGBUF_BUSY_BIT, BPF_RINGBUF_DISCARD_BIT, BPF_RINGBUF_HDR_SZ). */
const busyBit = 0x80000000;
const discardBit = 0x40000000;
const lengthMask = 0x3fffffff;
const headerBytes = 8;

/** Bytes of a page of this machine: 4096, on some arm64 65536. */
export const pageBytes: number = libc.getpagesize();

/** The smallest size the kernel accepts for a ring that holds `bytes`: a power of two of whole pages. */
export function bpfRingBytes(bytes: number): number {
	let size = pageBytes;
	while (size < bytes && size < 2 ** 30) size *= 2;
	return size;
}

/**
 * The reading side of a BPF ring buffer, mapped: `lease` the next record, copy it, `commit` all leased ones with one store. The data area is mapped twice
 * in a row, so that a record never wraps. The pages the kernel writes are read-only here and are read plainly, never by Atomics, with a fence where the
 * order of two reads matters. One thread.
 */
export class BpfRing implements Disposable {
	/** Bytes of the leased record. Valid after `lease()` returned true, until the next call. */
	length = 0;
	/** Bytes of the data area. */
	readonly size: number;
	readonly #consumer: BigInt64Array<ArrayBuffer>;
	readonly #consumerAddress: number;
	readonly #kernelAddress: number;
	readonly #dataAddress: number;
	readonly #words: Uint32Array<ArrayBuffer>;
	readonly #produced = Memory.allocate(8);
	readonly #fence = new Int32Array(new ArrayBuffer(64));
	#committed: number;
	#position: number;
	#end: number;
	#at = 0;
	#open = true;

	/** Maps the ring of a descriptor, which may be closed afterwards. `size` is its max_entries. Throws OperatingError "mmap". */
	constructor(descriptor: number, size: number) {
		assert(size >= pageBytes && (size & (size - 1)) === 0 && size <= 2 ** 30, "A ring is a power of two of whole pages");
		this.size = size;
		this.#consumerAddress = map(descriptor, pageBytes, protReadWrite, 0);
		this.#kernelAddress = map(descriptor, pageBytes + 2 * size, protRead, pageBytes);
		this.#dataAddress = this.#kernelAddress + pageBytes;
		this.#consumer = new BigInt64Array(toArrayBuffer(this.#consumerAddress as Pointer, 0, 8));
		this.#words = new Uint32Array(toArrayBuffer(this.#dataAddress as Pointer, 0, 2 * size));
		this.#committed = Number(Atomics.load(this.#consumer, 0));
		this.#position = this.#committed;
		this.#end = this.#committed;
	}

	/** Looks how far the kernel has come. `lease` goes up to there and no further, so that a reader that cannot keep up still returns. */
	refresh(): void {
		assert(this.#open, "The ring is mapped");
		// Through memory of our own: the page is the kernel's, and a call keeps the compiler from remembering an earlier value.
		this.#produced.copyForeign(0, this.#kernelAddress, 8);
		this.#end = (this.#produced.words[0] ?? 0) + (this.#produced.words[1] ?? 0) * 2 ** 32;
		assert(this.#end >= this.#position && this.#end - this.#committed <= this.size, "The kernel is ahead of us by at most the ring");
		Atomics.add(this.#fence, 0, 0);
	}

	/** Leases the next record that is complete; false where there is none. */
	lease(): boolean {
		while (this.#position < this.#end) {
			const at = this.#position & (this.size - 1);
			const header = this.#words[at >>> 2] ?? 0;
			if ((header & busyBit) !== 0) return false;
			Atomics.add(this.#fence, 0, 0);
			const length = header & lengthMask;
			assert(length <= this.size, "A record fits the ring");
			this.#position += (headerBytes + length + 7) & ~7;
			if ((header & discardBit) !== 0) continue;
			this.length = length;
			this.#at = at + headerBytes;
			return true;
		}
		return false;
	}

	/** Takes the last lease back: the next `lease` returns the same record. At most once per lease. */
	unlease(): void {
		this.#position -= (headerBytes + this.length + 7) & ~7;
		assert(this.#position >= this.#committed, "Only a lease that is not committed is taken back");
	}

	/** Copies the leased record to `offset` of `memory`. */
	copyTo(memory: Memory, offset: number): void {
		memory.copyForeign(offset, this.#dataAddress + this.#at, this.length);
	}

	/** Gives the leased records back to the kernel with one store. */
	commit(): void {
		assert(this.#open, "The ring is mapped");
		if (this.#position === this.#committed) return;
		this.#committed = this.#position;
		Atomics.store(this.#consumer, 0, BigInt(this.#position));
	}

	/** Bytes between what the kernel had written at the last refresh and what is committed. */
	get fill(): number {
		return this.#end - this.#committed;
	}

	/** Unmaps. Safe twice. */
	[Symbol.dispose](): void {
		if (!this.#open) return;
		this.#open = false;
		libc.munmap(this.#consumerAddress as Pointer, pageBytes);
		libc.munmap(this.#kernelAddress as Pointer, pageBytes + 2 * this.size);
	}
}

function map(descriptor: number, length: number, protection: number, offset: number): number {
	const address = libc.mmap(null, length, protection, mapShared, descriptor, offset);
	// MAP_FAILED arrives as a BigInt.
	if (address === null || typeof address === "bigint") {
		const code = errno();
		throw new OperatingError("mmap", `Map a BPF ring: ${describeErrno(code)}`, { errno: code });
	}
	return address;
}
