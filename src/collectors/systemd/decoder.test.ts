import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expectGolden } from "../../../test/support/golden.ts";
import { EventWriter } from "../../event/event-writer.ts";
import { Memory } from "../../platform/ffi/memory.ts";
import { headerBytes } from "../../ring/layout.ts";
import { RingReader } from "../../ring/reader.ts";
import { createRing } from "../../ring/ring.ts";
import { RingProducer } from "../../ring/writer.ts";
import { JournalDecoder } from "./decoder.ts";
import { encodeCheckpoint, encodeGap } from "./gap-record.ts";
import { kindCheckpoint, kindEntry, kindGap, noPriority, wordPriority } from "./record.ts";

const folder = join(import.meta.dir, "fixtures");
const fixtures = readdirSync(folder)
	.filter((file) => file.endsWith(".record"))
	.map((file) => ({ name: file.slice(0, -".record".length), bytes: new Uint8Array(readFileSync(join(folder, file))) }));
const ringBytes = 256 * 1024;

/** What the decoder makes of one record in room for `room` bytes, and the cursor it names. */
function decode(bytes: Uint8Array, kind: number, room = 128 * 1024) {
	const memory = Memory.allocate(headerBytes + ringBytes);
	createRing(memory, [ringBytes]);
	const producer = new RingProducer(memory);
	const writer = producer.writer(0);
	memory.bytes.set(bytes, writer.reserve(bytes.length));
	writer.submit(kind);
	producer.flush();
	const reader = new RingReader(memory);
	expect(reader.lease()).toBe(true);
	const event = new EventWriter(Memory.allocate(room));
	event.sequence = 42;
	const decoder = new JournalDecoder({ cluster: "cluster", node: "node-7" });
	const result = decoder.decode(reader, event);
	const text = (from: number, length: number, source: Memory) => Buffer.from(source.bytes.subarray(from, from + length)).toString();
	return { result, event: text(0, event.position, event.memory), cursor: text(decoder.cursorOffset, decoder.cursorLength, memory) };
}

function kindOf(name: string): number {
	return name.startsWith("gap") ? kindGap : name === "checkpoint" ? kindCheckpoint : kindEntry;
}

function fixture(name: string): Uint8Array {
	const found = fixtures.find((candidate) => candidate.name === name);
	if (found === undefined) throw new Error(`${name} is not among the fixtures`);
	return found.bytes;
}

test("JournalDecoder.decode() turns records of a real journal into their golden events", () => {
	expect(fixtures.length).toBe(7);
	for (const { name, bytes } of fixtures) {
		const { result, event, cursor } = decode(bytes, kindOf(name));
		expect(cursor).toMatch(/^s=[0-9a-f]{32};i=[0-9a-f]+;b=[0-9a-f]{32};m=[0-9a-f]+;t=[0-9a-f]+;x=[0-9a-f]+@?$/);
		expect(result).toBe(name === "checkpoint" ? "none" : "event");
		if (result === "event") expectGolden(join(folder, `${name}.json`), `${JSON.stringify(JSON.parse(event), null, "\t")}\n`);
	}
});

test("JournalDecoder.decode() says where there is no room, at any size, and writes the same once there is", () => {
	const bytes = fixture("entry-binary");
	const whole = decode(bytes, kindEntry).event;
	for (let room = 64; room < whole.length; room += 37) expect(decode(bytes, kindEntry, room).result).toBe("full");
	expect(decode(bytes, kindEntry, whole.length + 64).event).toBe(whole);
});

test("JournalDecoder.decode() gives an event the severity of the entry's priority", () => {
	const severities = Array.from({ length: 9 }, (_, priority) => {
		const bytes = fixture("entry-kubelet").slice();
		bytes[4 * wordPriority] = priority === 8 ? noPriority : priority;
		const { severitytext, severitynumber } = JSON.parse(decode(bytes, kindEntry).event);
		return `${severitytext} ${severitynumber}`;
	});
	expect(severities).toEqual(["FATAL 21", "ERROR3 19", "ERROR2 18", "ERROR 17", "WARN 13", "INFO2 10", "INFO 9", "DEBUG 5", "INFO 9"]);
});

test("encodeGap() and encodeCheckpoint() name the cursor that a successor begins behind", () => {
	const cursor = "s=87ad9140f9f0436cb0f26de0d3bce795;i=1f;b=bdd640fb06671ad11c80317fa3b1799d;m=4c676e;t=63fb1299a5c2e;x=96ce08443c322224";
	const gap = decode(encodeGap({ lost: 3, reason: "vacuumed", cursor, realtime: 1_758_880_000_000_250 }), kindGap);
	expect(gap.cursor).toBe(`${cursor}@`);
	expect(JSON.parse(gap.event)).toMatchObject({
		id: "87ad9140f9f0436cb0f26de0d3bce795-1f-96ce08443c322224-gap",
		time: "2025-09-26T09:46:40.000250Z",
		type: "tapio.systemd.gap",
		data: { attributes: { "tapio.gap.before": cursor, "tapio.gap.lost": 3, "tapio.gap.reason": "vacuumed" } },
	});
	expect(decode(encodeCheckpoint(cursor), kindCheckpoint)).toMatchObject({ result: "none", cursor });
});
