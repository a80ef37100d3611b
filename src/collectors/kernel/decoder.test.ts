import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expectGolden } from "../../../test/support/golden.ts";
import { EventWriter } from "../../event/event-writer.ts";
import { literal } from "../../event/json-writer.ts";
import { Memory } from "../../platform/ffi/memory.ts";
import { headerBytes } from "../../ring/layout.ts";
import { RingReader } from "../../ring/reader.ts";
import { createRing } from "../../ring/ring.ts";
import { RingProducer } from "../../ring/writer.ts";
import { KernelDecoder } from "./decoder.ts";
import { EventHead } from "./event-head.ts";
import { EventShapes } from "./event-shapes.ts";
import { tapioExec, tapioRecord } from "./layout.gen.ts";
import { NumberWriter } from "./number-writer.ts";

const folder = join(import.meta.dir, "fixtures");
const fixtures = readdirSync(folder)
	.filter((file) => file.endsWith(".record"))
	.map((file) => ({ name: file.slice(0, -".record".length), bytes: new Uint8Array(readFileSync(join(folder, file))) }));
const identity = { cluster: "cluster", node: "node-7", bootId: "8b4f7f1e-2f0c-4a8e-9a52-3c1f0e5d6a7b", runId: "5f0c" };
const ringBytes = 64 * 1024;
const kindAt = tapioRecord.type / 4;

/** What a new decoder makes of one record, in room for `room` bytes; undefined where it did not fit. */
function decode(bytes: Uint8Array, redactArguments = true, room = 64 * 1024): string | undefined {
	return decodeWith(new KernelDecoder(identity, { redactArguments }), bytes, room);
}

function decodeWith(decoder: KernelDecoder, bytes: Uint8Array, room: number, sequence = 42): string | undefined {
	const memory = Memory.allocate(headerBytes + ringBytes);
	createRing(memory, [ringBytes]);
	const producer = new RingProducer(memory);
	const writer = producer.writer(0);
	const offset = writer.reserve(bytes.length);
	memory.bytes.set(bytes, offset);
	writer.submit(new Uint32Array(bytes.slice(0, tapioRecord.size).buffer)[kindAt] ?? 0);
	producer.flush();
	const reader = new RingReader(memory);
	expect(reader.lease()).toBe(true);
	const event = new EventWriter(Memory.allocate(room));
	event.sequence = sequence;
	const result = decoder.decode(reader, event);
	if (result === "full") return undefined;
	return Buffer.from(event.memory.bytes.subarray(0, event.position)).toString();
}

function fixture(name: string): Uint8Array {
	const found = fixtures.find((candidate) => candidate.name === name);
	if (found === undefined) throw new Error(`${name} is not among the fixtures`);
	return found.bytes;
}

test("KernelDecoder turns records of a real kernel into their golden events", () => {
	expect(fixtures.length).toBeGreaterThanOrEqual(8);
	for (const { name, bytes } of fixtures) {
		expectGolden(join(folder, `${name}.json`), `${JSON.stringify(JSON.parse(decode(bytes) ?? ""), null, "\t")}\n`);
	}
});

test("KernelDecoder leaves arguments as they are where redaction is off", () => {
	const event = JSON.parse(decode(fixture("exec-script"), false) ?? "");
	expect(event.data.attributes["process.command_args"].slice(3)).toEqual([
		"--password=hunter2",
		"--token",
		"t0ps3cret",
		"nats://user:secret@host:4222/x",
		"plain",
	]);
	expect(event.data.altered).toBeUndefined();
});

test("KernelDecoder keeps nanoseconds exact beyond 2^53, after years of uptime", () => {
	const bytes = fixture("exit-clean").slice();
	const view = new DataView(bytes.buffer);
	const uptime = 12_345_678_901_234_567n;
	view.setBigUint64(tapioRecord.boottime, uptime, true);
	view.setBigUint64(tapioRecord.size, uptime - 9_007_199_254_740_993n, true);
	view.setUint32(tapioRecord.offsetSeconds, 1_700_000_000, true);
	view.setUint32(tapioRecord.offsetNanoseconds, 999_999_999, true);
	const event = JSON.parse(decode(bytes) ?? "");
	// 12,345,678.901234567 s and 1,700,000,000.999999999 s together.
	expect(event.time).toBe(`${new Date((1_700_000_000 + 12_345_679) * 1000).toISOString().slice(0, 20)}901234566Z`);
	expect(event.data.attributes["tapio.process.duration_ns"]).toBe("9007199254740993");
	expect(event.subject).toEndWith("@3338479646493574");
});

test("KernelDecoder says full where an event does not fit, at every size", () => {
	const bytes = fixture("exec-script");
	const whole = decode(bytes) ?? "";
	const length = Buffer.byteLength(whole);
	for (let room = 8; room < length; room += 37) expect(decode(bytes, true, room & ~7)).toBeUndefined();
	expect(decode(bytes, true, (length + 7) & ~7)).toBe(whole);
});

test("KernelDecoder makes valid JSON of any bytes behind a valid kind", () => {
	const mutation = fc.record({ at: fc.nat(2048), value: fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.nat(255)) });
	let looked = 0;
	fc.assert(
		fc.property(fc.constantFrom(...fixtures), fc.array(mutation, { minLength: 1, maxLength: 24 }), fc.boolean(), ({ bytes }, mutations, redact) => {
			const copy = bytes.slice();
			for (const { at, value } of mutations) {
				const place = at % copy.length;
				// The kind is checked by the collector; everything else may be anything.
				if (place < tapioRecord.type || place >= tapioRecord.type + 4) copy[place] = value;
			}
			const text = decode(copy, redact);
			expect(text).toBeDefined();
			const event = JSON.parse(text ?? "");
			expect(event.specversion).toBe("1.0");
			expect(event.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
			looked++;
		}),
		{ numRuns: 2000 },
	);
	expect(looked).toBeGreaterThanOrEqual(2000);
});

test("KernelDecoder writes what it remembers the shape of as if it had never seen it", () => {
	// Numbers around each power of ten, differences below zero, times of other seconds; seldom another name or user, so that shapes come again.
	const word = fc.oneof(
		fc.nat(12),
		fc.constantFrom(9, 10, 99, 100, 999_999, 1_000_000, 99_999_999, 100_000_000, 2 ** 31, 2 ** 32 - 1),
		fc.nat(2 ** 32 - 1),
	);
	const places = fc.oneof(
		fc.constantFrom(0, 4, 8, 12, 24, 28, 32, 36, 40, 44, 124, 128, 132, 136, 140, 144, 148, 152, 156, 160),
		fc.nat(42).map((at) => at * 4),
	);
	const change = fc.record({ at: places, value: word, keep: fc.boolean() });
	const remembering = new KernelDecoder(identity, { redactArguments: true });
	const current = fixtures.map(({ bytes }) => bytes.slice());
	const seconds = new Set<string>();
	let sequence = 1;
	fc.assert(
		fc.property(fc.nat(fixtures.length - 1), fc.array(change, { maxLength: 3 }), fc.integer({ min: 1, max: 40 }), (index, changes, step) => {
			const bytes = current[index]?.slice() ?? new Uint8Array();
			const view = new DataView(bytes.buffer);
			for (const { at, value } of changes) if (at !== tapioRecord.type && at + 4 <= bytes.length) view.setUint32(at, value, true);
			if (changes.every(({ keep }) => keep)) current[index] = bytes;
			sequence += step;
			const fresh = decodeWith(new KernelDecoder(identity, { redactArguments: true }), bytes, 64 * 1024, sequence);
			expect(fresh).toBeDefined();
			for (const room of [64 * 1024, 1024, Buffer.byteLength(fresh ?? ""), 64 * 1024]) {
				const again = decodeWith(remembering, bytes, (room + 7) & ~7, sequence);
				if (room === 1024) expect(again === undefined || again === fresh).toBe(true);
				else expect(again).toBe(fresh);
			}
			seconds.add(JSON.parse(fresh ?? "").time.slice(0, 19));
		}),
		{ numRuns: 3000 },
	);
	expect(seconds.size).toBeGreaterThan(50);
});

test("EventShapes pushes out what is in its way, and remembers no number that a double does not hold", () => {
	const numbers = new NumberWriter();
	const head = new EventHead(identity, "boot", "run");
	const shapes = new EventShapes(head, numbers, { bytes: 40, numbers: [{ at: 24, words: 2 }], part: "whole" });
	const template = head.template("tapio.test", "info");
	const memory = Memory.allocate(64);
	const view = new DataView(memory.bytes.buffer);
	const event = new EventWriter(Memory.allocate(4096));
	const write = (kind: number, value: bigint, sequence: number) => {
		event.attach(event.memory, 0, 4096);
		event.sequence = sequence;
		view.setUint32(32, kind, true);
		view.setBigUint64(24, value, true);
		const known = shapes.repeat(memory, 0, event);
		if (!known) {
			head.begin(template, memory, 0, event);
			event.data();
			event.attributes();
			event.field(literal('"kind":'));
			event.decimal(kind);
			event.field(literal('"value":'));
			numbers.number64(event, memory, 0, 24);
			event.end();
			shapes.keep(memory, 0, event);
		}
		const { id, sequence: text, data } = JSON.parse(Buffer.from(event.memory.bytes.subarray(0, event.position)).toString());
		expect([id, Number(text), data.attributes.kind]).toEqual([`boot-run-kernel-${sequence}`, sequence, kind]);
		return [known, data.attributes.value];
	};
	expect(write(1, 1234n, 7)).toEqual([false, 1234]);
	expect(write(1, 9876n, 8)).toEqual([true, 9876]);
	expect(write(1, 9876n, 10)).toEqual([false, 9876]);
	expect(write(1, 0n, 11)).toEqual([false, 0]);
	expect(write(1, 0n, 12)).toEqual([true, 0]);
	expect(write(1, 5n, 13)).toEqual([false, 5]);
	expect(write(1, 2n ** 53n - 1n, 14)).toEqual([false, 2 ** 53 - 1]);
	expect(write(1, 2n ** 53n - 2n, 15)).toEqual([true, 2 ** 53 - 2]);
	expect(write(1, 2n ** 60n, 16)).toEqual([false, 2 ** 60]);
	expect(write(1, 2n ** 60n, 17)).toEqual([false, 2 ** 60]);
	// Kinds that fall on each other, with numbers of every width.
	for (let kind = 0; kind < 3000; kind++) {
		for (let width = 0; width < 9; width += 2) expect(write(kind * 65_537, BigInt(kind), 10 ** width)[1]).toBe(kind);
	}
});

test("KernelDecoder clamps lengths that point behind the record", () => {
	const bytes = fixture("exec-cut").slice(0, tapioExec.size + 16);
	const event = JSON.parse(decode(bytes) ?? "");
	expect(event.data.attributes["process.executable.path"].length).toBeLessThanOrEqual(16);
});
