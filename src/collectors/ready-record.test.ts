import { expect, test } from "bun:test";
import { EventWriter, eventTemplate } from "../event/event-writer.ts";
import { Memory } from "../platform/ffi/memory.ts";
import { headerBytes } from "../ring/layout.ts";
import { RingReader } from "../ring/reader.ts";
import { createRing } from "../ring/ring.ts";
import { RingProducer } from "../ring/writer.ts";
import { eventRecord, positionRecord, ReadyDecoder } from "./ready-record.ts";

const ringBytes = 64 * 1024;
const template = eventTemplate("/cluster/node/test", "tapio.test", "info");

function record(cursor: string, id = "one"): Uint8Array {
	const event = new EventWriter(Memory.allocate(8));
	return eventRecord(event, 4096, cursor, () => {
		event.begin(template);
		event.ascii(id);
		event.time(1_767_323_045, 123_456, 6);
		event.data();
		return event.end();
	});
}

/** What the decoder makes of the last of `records`, as event `sequence` in room for `room` bytes. */
function decode(records: readonly Uint8Array[], sequence: number, room = 4096) {
	const memory = Memory.allocate(headerBytes + ringBytes);
	createRing(memory, [ringBytes]);
	const producer = new RingProducer(memory);
	const writer = producer.writer(0);
	for (const bytes of records) {
		memory.bytes.set(bytes, writer.reserve(bytes.length));
		writer.submit();
	}
	producer.flush();
	const reader = new RingReader(memory);
	for (const _ of records) expect(reader.lease()).toBe(true);
	const event = new EventWriter(Memory.allocate(8192));
	event.attach(event.memory, 100, 100 + room);
	event.sequence = sequence;
	const decoder = new ReadyDecoder();
	const result = decoder.decode(reader, event);
	const text = (from: number, length: number, source: Memory) => Buffer.from(source.bytes.subarray(from, from + length)).toString();
	return {
		result,
		text: text(100, event.position - 100, event.memory),
		cursor: text(decoder.cursorOffset, decoder.cursorLength, memory),
		before: event.memory.bytes.subarray(0, 100),
		behind: event.memory.bytes.subarray(event.position),
	};
}

test("ReadyDecoder.decode() copies the event, numbers it, and names its cursor", () => {
	const { result, text, cursor, before, behind } = decode([record("first"), record("the cursor")], 4_503_599_627_370_497);
	expect(result).toBe("event");
	const { id, sequence, time, data } = JSON.parse(text);
	expect([id, sequence, time, data]).toEqual(["one", "00004503599627370497", "2026-01-02T03:04:05.123456Z", {}]);
	expect(cursor).toBe("the cursor");
	for (const bytes of [before, behind]) expect(bytes.every((byte) => byte === 0)).toBe(true);
});

test("ReadyDecoder.decode() says where there is no room, and writes nothing then", () => {
	const bytes = record("c");
	const { length } = decode([bytes], 1).text;
	for (let room = 0; room < length; room += 7) expect(decode([bytes], 1, room)).toMatchObject({ result: "full", text: "" });
	expect(decode([bytes], 1, length).result).toBe("event");
});

test("positionRecord() carries a position and no event", () => {
	expect(decode([record("c"), positionRecord("only a cursor")], 1)).toMatchObject({ result: "none", text: "", cursor: "only a cursor" });
});

test("eventRecord() refuses an event that is longer than promised", () => {
	expect(() => record("c", "x".repeat(5000))).toThrow("4096 bytes");
});
