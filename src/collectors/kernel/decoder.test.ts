import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expectGolden } from "../../../test/support/golden.ts";
import { EventWriter } from "../../event/event-writer.ts";
import { Memory } from "../../platform/ffi/memory.ts";
import { headerBytes } from "../../ring/layout.ts";
import { RingReader } from "../../ring/reader.ts";
import { createRing } from "../../ring/ring.ts";
import { RingProducer } from "../../ring/writer.ts";
import { KernelDecoder } from "./decoder.ts";
import { tapioExec, tapioRecord } from "./layout.gen.ts";

const folder = join(import.meta.dir, "fixtures");
const fixtures = readdirSync(folder)
	.filter((file) => file.endsWith(".record"))
	.map((file) => ({ name: file.slice(0, -".record".length), bytes: new Uint8Array(readFileSync(join(folder, file))) }));
const identity = { cluster: "cluster", node: "node-7", bootId: "8b4f7f1e-2f0c-4a8e-9a52-3c1f0e5d6a7b", runId: "5f0c" };
const ringBytes = 64 * 1024;
const kindAt = tapioRecord.type / 4;

/** What the decoder makes of one record, in room for `room` bytes; undefined where it did not fit. */
function decode(bytes: Uint8Array, redactArguments = true, room = 64 * 1024): string | undefined {
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
	event.sequence = 42;
	const result = new KernelDecoder(identity, { redactArguments }).decode(reader, event);
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

test("KernelDecoder clamps lengths that point behind the record", () => {
	const bytes = fixture("exec-cut").slice(0, tapioExec.size + 16);
	const event = JSON.parse(decode(bytes) ?? "");
	expect(event.data.attributes["process.executable.path"].length).toBeLessThanOrEqual(16);
});
