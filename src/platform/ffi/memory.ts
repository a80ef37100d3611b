import type { Pointer } from "bun:ffi";
import { ptr, toArrayBuffer } from "bun:ffi";
import { assert } from "../../base/assert.ts";
import { OperatingError } from "../../base/errors.ts";
import { cString, describeErrno, errno, libc } from "./libc.ts";

const protReadWrite = 3;
const mapShared = 1;
const adviceDontNeed = 4;
const adviceRemove = 9;
const mfdCloseOnExec = 1;
const mfdNoExecSeal = 8;
const errnoInvalid = 22;

/**
 * Bytes with a fixed address: the one class that owns both the views and the pointer, because `ptr()` keeps nothing alive
 * and small typed arrays move. Copies go through memcpy, 5 to 25 ns where `set(subarray)` costs 50.
 * Any thread may hold one over the same shared memory; the views are little-endian.
 */
export class Memory implements Disposable {
	/** Every byte. */
	readonly bytes: Uint8Array;
	/** The same bytes as unsigned 32-bit words; the length is a multiple of 8. */
	readonly words: Uint32Array;
	/** The same bytes as signed words, for Atomics. */
	readonly signed: Int32Array;
	/** The same bytes as doubles: counters below 2^53 that one thread writes and others read whole. */
	readonly doubles: Float64Array;
	/** The same bytes at any offset: for words that stand where no typed array reaches. */
	readonly view: DataView;
	/** Bytes in all. */
	readonly length: number;
	readonly #buffer: ArrayBuffer | SharedArrayBuffer;
	readonly #address: number;
	#mapped: boolean;

	private constructor(buffer: ArrayBuffer | SharedArrayBuffer, address: number, mapped: boolean) {
		this.#buffer = buffer;
		this.#address = address;
		this.#mapped = mapped;
		this.bytes = new Uint8Array(buffer);
		this.words = new Uint32Array(buffer);
		this.signed = new Int32Array(buffer);
		this.doubles = new Float64Array(buffer);
		this.view = new DataView(buffer);
		this.length = buffer.byteLength;
	}

	/** Zeroed memory of this thread, rounded up to a multiple of 8 bytes. */
	static allocate(length: number): Memory {
		assert(length > 0 && length < 2 ** 31, "A Memory has 1 byte to 2 GiB");
		const buffer = new ArrayBuffer((length + 7) & ~7);
		return new Memory(buffer, ptr(buffer), false);
	}

	/** A view over shared memory, which another thread may hold as well. */
	static over(buffer: SharedArrayBuffer): Memory {
		assert(buffer.byteLength > 0 && buffer.byteLength % 8 === 0, "Shared memory is a multiple of 8 bytes");
		// bun:ffi types ptr() without SharedArrayBuffer, and accepts one.
		return new Memory(buffer, ptr(new Uint8Array(buffer)), false);
	}

	/** Maps the first `length` bytes of a descriptor, shared with every process that maps it. Throws OperatingError "mmap". */
	static map(descriptor: number, length: number): Memory {
		assert(descriptor >= 0, "A descriptor is not negative");
		assert(length > 0 && length % 4096 === 0 && length < 2 ** 31, "A mapping is whole pages below 2 GiB");
		const address = libc.mmap(null, length, protReadWrite, mapShared, descriptor, 0);
		// MAP_FAILED arrives as a BigInt: rule of bun:ffi for values beyond 2^53.
		if (address === null || typeof address === "bigint") {
			const code = errno();
			throw new OperatingError("mmap", `Map ${length} bytes of descriptor ${descriptor}: ${describeErrno(code)}`, { errno: code });
		}
		return new Memory(toArrayBuffer(address, 0, length), address, true);
	}

	/** Copies `length` bytes of `source` to `offset` here. The ranges must lie inside and, within one Memory, apart. */
	copy(offset: number, source: Memory, sourceOffset: number, length: number): void {
		assert(offset >= 0 && sourceOffset >= 0 && length >= 0, "A copy starts inside");
		assert(offset + length <= this.length && sourceOffset + length <= source.length, "A copy ends inside");
		libc.memcpy((this.#address + offset) as Pointer, (source.#address + sourceOffset) as Pointer, length);
	}

	/** Copies `length` bytes of C memory to `offset` here. Only platform/ffi has addresses to pass. */
	copyForeign(offset: number, address: number, length: number): void {
		assert(offset >= 0 && length >= 0 && offset + length <= this.length, "A copy lies inside");
		assert(address > 4095, "The address is not in the first page");
		libc.memcpy((this.#address + offset) as Pointer, address as Pointer, length);
	}

	/** True where `length` bytes at `offset` equal those at `otherOffset` of `other`. */
	equals(offset: number, other: Memory, otherOffset: number, length: number): boolean {
		assert(offset >= 0 && otherOffset >= 0 && length >= 0, "A comparison starts inside");
		assert(offset + length <= this.length && otherOffset + length <= other.length, "A comparison ends inside");
		return libc.memcmp((this.#address + offset) as Pointer, (other.#address + otherOffset) as Pointer, length) === 0;
	}

	/** True where `length` bytes at `offset` equal those at a C address. Only platform/ffi has addresses to pass. */
	equalsForeign(offset: number, address: number, length: number): boolean {
		assert(offset >= 0 && length >= 0 && offset + length <= this.length, "A comparison lies inside");
		return libc.memcmp((this.#address + offset) as Pointer, address as Pointer, length) === 0;
	}

	/**
	 * Gives the whole pages between `offset` and `offset + length` back to the kernel: they read as zeros from now on, in every process that maps them, and
	 * take memory again once they are written. Bytes that share a page with others keep what they hold. Returns the bytes given back; 0 where the
	 * kernel refuses, as it does for locked memory: then nothing has changed.
	 */
	release(offset: number, length: number): number {
		assert(offset >= 0 && length >= 0 && offset + length <= this.length, "What is released lies inside");
		const page = libc.getpagesize();
		const start = Math.ceil((this.#address + offset) / page) * page;
		const end = Math.floor((this.#address + offset + length) / page) * page;
		if (end <= start) return 0;
		// A private page is gone with its last mapping; a page of a memory file lives in the file and must go there.
		return libc.madvise(start as Pointer, end - start, this.#mapped ? adviceRemove : adviceDontNeed) === 0 ? end - start : 0;
	}

	/** The address of `offset`, for calls inside platform/ffi alone. Valid as long as this Memory is held. */
	addressOf(offset: number): number {
		assert(offset >= 0 && offset <= this.length, "The offset is inside");
		return this.#address + offset;
	}

	/** The shared buffer, to be posted to a worker. Undefined for other kinds of memory. */
	get shared(): SharedArrayBuffer | undefined {
		return this.#buffer instanceof SharedArrayBuffer ? this.#buffer : undefined;
	}

	/** Unmaps a mapping; nothing for other kinds. Safe twice. No view may be used afterwards. */
	[Symbol.dispose](): void {
		if (!this.#mapped) return;
		this.#mapped = false;
		libc.munmap(this.#address as Pointer, this.length);
	}
}

/** Creates an anonymous file of `length` bytes that lives as long as a descriptor or a mapping of it. Throws OperatingError "memfd". */
export function createMemoryFile(name: string, length: number): number {
	assert(length > 0 && length % 4096 === 0, "A memory file is whole pages");
	// A node with vm.memfd_noexec=2 refuses memory files that could become programs; kernels before 6.3 do not know the flag that says so.
	let descriptor = libc.memfd_create(cString(name), mfdCloseOnExec | mfdNoExecSeal);
	let code = descriptor < 0 ? errno() : 0;
	if (code === errnoInvalid) {
		descriptor = libc.memfd_create(cString(name), mfdCloseOnExec);
		code = descriptor < 0 ? errno() : 0;
	}
	if (descriptor < 0) {
		throw new OperatingError("memfd", `Create the memory file ${name}: ${describeErrno(code)}`, { errno: code });
	}
	if (libc.ftruncate(descriptor, length) !== 0) {
		code = errno();
		throw new OperatingError("memfd", `Size the memory file ${name} to ${length} bytes: ${describeErrno(code)}`, { errno: code });
	}
	return descriptor;
}
