import { dlopen, FFIType, read } from "bun:ffi";
import { OperatingError } from "../../base/errors.ts";

const { i32, u32, u64, i64, ptr, cstring, void: none } = FFIType;
// By its name: dlopen refuses the number that FFIType has for it.
const buffer = "buffer";

// Lengths of copies and comparisons are i32: half the cost of u64 per call, and no record reaches 2 GiB.
const symbols = {
	memcpy: { args: [ptr, ptr, i32], returns: none },
	memcmp: { args: [ptr, ptr, i32], returns: i32 },
	mmap: { args: [ptr, u64, i32, i32, i32, i64], returns: ptr },
	munmap: { args: [ptr, u64], returns: i32 },
	madvise: { args: [ptr, u64, i32], returns: i32 },
	memfd_create: { args: [buffer, u32], returns: i32 },
	ftruncate: { args: [i32, i64], returns: i32 },
	flock: { args: [i32, i32], returns: i32 },
	poll: { args: [buffer, u64, i32], returns: i32 },
	prctl: { args: [i32, buffer, u64, u64, u64], returns: i32 },
	__errno_location: { args: [], returns: ptr },
	strerror: { args: [i32], returns: cstring },
	strlen: { args: [ptr], returns: i32 },
	free: { args: [ptr], returns: none },
	dlopen: { args: [buffer, i32], returns: ptr },
	dlerror: { args: [], returns: ptr },
	getpagesize: { args: [], returns: i32 },
	clock_gettime: { args: [i32, ptr], returns: i32 },
	epoll_create1: { args: [i32], returns: i32 },
	epoll_ctl: { args: [i32, i32, i32, ptr], returns: i32 },
	epoll_wait: { args: [i32, ptr, i32, i32], returns: i32 },
	vasprintf: { args: [ptr, ptr, ptr], returns: i32 },
	syscall: { args: [i64, u64, ptr, u64], returns: i64 },
} as const;

/** The C library of the node: glibc, or musl under its own name. */
function openLibc() {
	const names = ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`];
	const failures: unknown[] = [];
	for (const name of names) {
		try {
			return dlopen(name, symbols);
		} catch (cause) {
			failures.push(cause);
		}
	}
	throw new OperatingError("libc_open", `Open the C library, tried ${names.join(" and ")}`, {
		cause: failures[0],
		hint: "the agent needs glibc 2.33 or musl 1.2",
	});
}

/** Functions of libc. Only platform/ffi calls them. */
export const libc = openLibc().symbols;

/** errno of the last FFI call of this thread. Read it in the line after the call. */
export function errno(): number {
	const location = libc.__errno_location();
	return location === null ? 0 : read.i32(location, 0);
}

/** "No such file or directory (2)" for a positive errno value. */
export function describeErrno(code: number): string {
	return `${String(libc.strerror(code))} (${code})`;
}

const encoder = new TextEncoder();

/** A NUL-terminated copy of `text`, to be passed as an FFI argument of type "buffer". */
export function cString(text: string): Uint8Array {
	return encoder.encode(`${text}\0`);
}
