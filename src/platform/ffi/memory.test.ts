import { expect, test } from "bun:test";
import { closeSync, fstatSync, readlinkSync } from "node:fs";
import { AssertionError } from "../../base/assert.ts";
import { OperatingError } from "../../base/errors.ts";
import { createMemoryFile, Memory } from "./memory.ts";

test("Memory.allocate() gives zeroed memory in whole words of 8 bytes, all views over the same", () => {
	for (const [asked, given] of [
		[1, 8],
		[8, 8],
		[9, 16],
		[4097, 4104],
	] as const) {
		const memory = Memory.allocate(asked);
		expect(memory.length).toBe(given);
		expect(memory.bytes.every((byte) => byte === 0)).toBe(true);
		memory.words[0] = 0xfffffffe;
		expect([memory.signed[0], memory.bytes[0], memory.bytes[3]]).toEqual([-2, 0xfe, 0xff]);
		memory.doubles[0] = 1.5;
		expect(memory.words[1]).toBe(0x3ff80000);
		expect(memory.shared).toBeUndefined();
	}
	for (const wrong of [0, -1, 2 ** 31, Number.NaN]) expect(() => Memory.allocate(wrong)).toThrow(AssertionError);
});

test("Memory.over() shares its bytes with every other view of the same buffer", () => {
	const buffer = new SharedArrayBuffer(64);
	const [first, second] = [Memory.over(buffer), Memory.over(buffer)];
	first.bytes[63] = 7;
	expect(second.bytes[63]).toBe(7);
	expect(second.shared).toBe(buffer);
	expect(first.addressOf(0)).toBe(second.addressOf(0));
	expect(() => Memory.over(new SharedArrayBuffer(12))).toThrow(AssertionError);
	expect(() => Memory.over(new SharedArrayBuffer(0))).toThrow(AssertionError);
});

test("Memory.copy() copies what typed arrays copy, between every kind of memory", () => {
	const descriptor = createMemoryFile("copy-test", 4096);
	using mapped = Memory.map(descriptor, 4096);
	closeSync(descriptor);
	for (const source of [Memory.allocate(4096), Memory.over(new SharedArrayBuffer(4096)), mapped]) {
		for (let index = 0; index < source.length; index++) source.bytes[index] = index * 31;
		for (const target of [Memory.allocate(4096), Memory.over(new SharedArrayBuffer(4096))]) {
			for (const [to, from, length] of [
				[0, 0, 4096],
				[1, 3, 100],
				[4095, 0, 1],
				[7, 4096, 0],
			] as const) {
				const expected = Uint8Array.from(target.bytes);
				expected.set(source.bytes.subarray(from, from + length), to);
				target.copy(to, source, from, length);
				expect(Buffer.compare(target.bytes, expected)).toBe(0);
			}
		}
	}
});

test("Memory.copy() and addressOf() refuse what lies outside", () => {
	const memory = Memory.allocate(64);
	const other = Memory.allocate(16);
	for (const [to, from, length] of [
		[-1, 0, 1],
		[0, -1, 1],
		[0, 0, -1],
		[0, 0, 17],
		[64, 0, 1],
		[0, 16, 1],
		[Number.NaN, 0, 1],
	] as const) {
		expect(() => memory.copy(to, other, from, length)).toThrow(AssertionError);
	}
	expect(() => memory.addressOf(65)).toThrow(AssertionError);
	expect(() => memory.copyForeign(60, other.addressOf(0), 5)).toThrow(AssertionError);
	expect(() => memory.copyForeign(0, 0, 5)).toThrow(AssertionError);
	expect(() => memory.equalsForeign(64, other.addressOf(0), 1)).toThrow(AssertionError);
});

test("Memory.copyForeign() and equalsForeign() reach memory by its address", () => {
	const memory = Memory.allocate(64);
	const foreign = Memory.allocate(16);
	foreign.bytes.set([1, 2, 3, 4]);
	memory.copyForeign(60, foreign.addressOf(0), 4);
	expect([...memory.bytes.subarray(59)]).toEqual([0, 1, 2, 3, 4]);
	expect(memory.equalsForeign(60, foreign.addressOf(0), 4)).toBe(true);
	expect(memory.equalsForeign(60, foreign.addressOf(1), 3)).toBe(false);
});

test("Memory keeps its address while code and garbage collector work around it", () => {
	const memory = Memory.allocate(16);
	const address = memory.addressOf(0);
	const reader = Memory.allocate(16);
	for (let round = 0; round < 200_000; round++) {
		memory.words[0] = round;
		reader.copyForeign(0, address, 4);
		if (reader.words[0] !== round) throw new Error(`The memory moved in round ${round}`);
		if (round % 50_000 === 0) Bun.gc(true);
	}
	expect(memory.addressOf(0)).toBe(address);
});

test("Memory.map() shows both mappings of a memory file the same bytes, and outlives the descriptor", () => {
	const descriptor = createMemoryFile("map-test", 8192);
	using first = Memory.map(descriptor, 8192);
	using second = Memory.map(descriptor, 8192);
	closeSync(descriptor);
	Atomics.store(first.signed, 2047, 42);
	expect(Atomics.load(second.signed, 2047)).toBe(42);
	expect(first.addressOf(0)).not.toBe(second.addressOf(0));
	expect(first.shared).toBeUndefined();
});

test("Memory[Symbol.dispose]() is safe twice", () => {
	const descriptor = createMemoryFile("dispose-test", 4096);
	const memory = Memory.map(descriptor, 4096);
	closeSync(descriptor);
	memory[Symbol.dispose]();
	memory[Symbol.dispose]();
	Memory.allocate(8)[Symbol.dispose]();
});

test("Memory.release() zeroes the whole pages inside, in every mapping of them, and nothing beside them", () => {
	const descriptor = createMemoryFile("release-test", 16_384);
	using memory = Memory.map(descriptor, 16_384);
	using other = Memory.map(descriptor, 16_384);
	closeSync(descriptor);
	memory.bytes.fill(7);
	expect(memory.release(4095, 8194)).toBe(8192);
	expect([other.bytes[4095], other.bytes[4096], other.bytes[12_287], other.bytes[12_288]]).toEqual([7, 0, 0, 7]);
	expect([memory.release(1, 8190), memory.release(0, 0), memory.release(16_384, 0)]).toEqual([0, 0, 0]);
	memory.bytes[5000] = 8;
	expect(other.bytes[5000]).toBe(8);
	expect(() => memory.release(0, 16_385)).toThrow(AssertionError);
	const shared = Memory.over(new SharedArrayBuffer(1 << 20));
	shared.bytes.fill(7);
	const released = shared.release(0, 1 << 20);
	expect(released).toBeGreaterThan((1 << 20) - 8193);
	expect(shared.bytes.filter((byte) => byte === 0).length).toBe(released);
});

test("Memory.map() says why it cannot, with errno", () => {
	const descriptor = createMemoryFile("closed-test", 4096);
	closeSync(descriptor);
	let thrown: unknown;
	try {
		Memory.map(descriptor, 4096);
	} catch (error) {
		thrown = error;
	}
	if (!(thrown instanceof OperatingError)) throw new Error("A closed descriptor is no mapping");
	expect([thrown.code, thrown.facts["errno"]]).toEqual(["mmap", 9]);
	expect(thrown.message).toContain("Bad file descriptor (9)");
	expect(() => Memory.map(0, 100)).toThrow(AssertionError);
	expect(() => Memory.map(-1, 4096)).toThrow(AssertionError);
});

test("createMemoryFile() makes an anonymous file of the size, closed when another program starts", async () => {
	const descriptor = createMemoryFile("size-test", 8192);
	expect(fstatSync(descriptor).size).toBe(8192);
	expect(readlinkSync(`/proc/self/fd/${descriptor}`)).toBe("/memfd:size-test (deleted)");
	const child = Bun.spawn(["ls", "-l", "/proc/self/fd"], { stdout: "pipe" });
	expect(await new Response(child.stdout).text()).not.toContain("size-test");
	closeSync(descriptor);
	expect(() => createMemoryFile("odd", 100)).toThrow(AssertionError);
});
