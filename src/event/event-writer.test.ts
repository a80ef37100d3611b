import { expect, test } from "bun:test";
import fc from "fast-check";
import { AssertionError } from "../base/assert.ts";
import { Memory } from "../platform/ffi/memory.ts";
import { EventWriter, eventSource, eventTemplate } from "./event-writer.ts";
import { literal } from "./json-writer.ts";
import { type Severity, severities } from "./severity.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
const keyName = literal('"process.executable.name":');
const keyPid = literal('"process.pid":');
const keyUnit = literal('"unit":');

/** The attributes that CloudEvents 1.0 requires, and the agent's own promises beside them. */
const fixed = ["specversion", "source", "type", "datacontenttype", "severitynumber", "severitytext", "id", "time", "sequence"];

/** One event as a test describes it; what is undefined is left out. */
interface Described {
	readonly id: number;
	readonly seconds: number;
	readonly fraction: number;
	readonly digits: 6 | 9;
	readonly sequence: number;
	readonly subject: string | undefined;
	readonly metadata: string | undefined;
	readonly attributes: readonly { readonly name: string; readonly pid: number }[] | undefined;
	readonly raw: unknown;
}

const template = eventTemplate(eventSource({ cluster: "prod/eu", node: 'ip-10.0.0.1 "x"' }, "kernel"), "tapio.process.exec", "info", "kernel/");

test("EventWriter writes the golden event", () => {
	const { text } = write([
		{
			id: 0xabc,
			seconds: 1_767_322_805,
			fraction: 123_456_789,
			digits: 9,
			sequence: 42,
			subject: "4242@17",
			metadata: "kubelet.service",
			attributes: [{ name: "tr\nue", pid: 4242 }],
			raw: { MESSAGE: "hi" },
		},
	]);
	expect(text).toBe(
		'{"specversion":"1.0","source":"/prod%2Feu/ip-10.0.0.1%20%22x%22/kernel","type":"tapio.process.exec","datacontenttype":"application/json",' +
			'"severitynumber":9,"severitytext":"INFO","id":"kernel/000000000abc","time":"2026-01-02T03:00:05.123456789Z","sequence":"00000000000000000042",' +
			'"subject":"4242@17","data":{"metadata":{"unit":"kubelet.service"},"attributes":{"process.executable.name":"tr\\nue","process.pid":4242},"raw":{"MESSAGE":"hi"}}}',
	);
});

const described: fc.Arbitrary<Described> = fc.record({
	id: fc.maxSafeNat(),
	seconds: fc.integer({ min: 0, max: 253_402_300_799 }),
	fraction: fc.nat({ max: 999_999 }),
	digits: fc.constantFrom(6 as const, 9 as const),
	sequence: fc.maxSafeNat(),
	subject: fc.option(fc.string({ unit: "binary", maxLength: 30 }), { nil: undefined }),
	metadata: fc.option(fc.string({ unit: "binary", maxLength: 30 }), { nil: undefined }),
	attributes: fc.option(fc.array(fc.record({ name: fc.string({ unit: "grapheme", maxLength: 40 }), pid: fc.nat() }), { maxLength: 1 }), {
		nil: undefined,
	}),
	raw: fc.option(fc.jsonValue(), { nil: undefined }),
});

test("EventWriter writes CloudEvents that JSON.parse reads back, whatever they contain", () => {
	fc.assert(
		fc.property(fc.array(described, { minLength: 1, maxLength: 4 }), (events) => {
			const { text, results } = write(events);
			expect(results.every((isWhole) => isWhole)).toBe(true);
			const lines = text.split("\n");
			expect(lines.length).toBe(events.length);
			for (const [index, event] of events.entries()) checkEvent(JSON.parse(lines[index] ?? ""), event);
		}),
		{ numRuns: 500 },
	);
});

test("EventWriter.end() leaves the batch as it was where an event does not fit, at every size", () => {
	const event: Described = {
		id: 1,
		seconds: 1,
		fraction: 2,
		digits: 6,
		sequence: 3,
		subject: 'a"b',
		metadata: "größer",
		attributes: [{ name: "x\u0001", pid: 7 }],
		raw: ["y"],
	};
	const whole = encoder.encode(write([event]).text).length;
	for (let room = 0; room <= whole + 2; room++) {
		const output = Memory.allocate(1024 + room);
		output.bytes.fill(0xee);
		const writer = new EventWriter(output);
		writer.attach(output, 10, 10 + room);
		expect(writeEvent(writer, event)).toBe(room >= whole);
		expect(writer.overflow).toBe(false);
		expect(writer.position).toBe(room >= whole ? 10 + whole : 10);
		expect(output.bytes.subarray(10 + room).every((byte) => byte === 0xee)).toBe(true);
		// The same event again, elsewhere, as a lane does with the next batch.
		writer.attach(output, 0, 1024);
		expect(writeEvent(writer, event)).toBe(true);
	}
});

test("EventWriter.field() and time() refuse calls that would make no event", () => {
	const writer = new EventWriter(Memory.allocate(4096));
	writer.begin(template);
	expect(() => writer.time(-1, 0, 6)).toThrow(AssertionError);
	expect(() => writer.time(253_402_300_800, 0, 6)).toThrow(AssertionError);
	expect(() => writer.time(1, 1_000_000, 6)).toThrow(AssertionError);
	writer.time(1, 999_999, 6);
	writer.data();
	expect(() => writer.field(keyPid)).toThrow(AssertionError);
	writer.attributes();
	writer.field(keyPid);
	writer.decimal(1);
	expect(writer.end()).toBe(true);
	expect(() => writer.field(keyPid)).toThrow(AssertionError);
});

test("eventTemplate() gives every severity its OpenTelemetry number and text", () => {
	for (const [name, { number, text }] of Object.entries(severities)) {
		const severity = Object.keys(severities).find((key): key is Severity => key === name) ?? "info";
		const writer = new EventWriter(Memory.allocate(4096));
		writer.begin(eventTemplate("/a/b/c", "tapio.test", severity));
		writer.time(0, 0, 9);
		writer.data();
		writer.end();
		const event = JSON.parse(decoder.decode(writer.memory.bytes.subarray(0, writer.position)));
		expect([event.severitynumber, event.severitytext, event.data]).toEqual([number, text, {}]);
	}
});

function write(events: readonly Described[]): { readonly text: string; readonly results: readonly boolean[] } {
	const writer = new EventWriter(Memory.allocate(2 ** 20));
	const results: boolean[] = [];
	for (const [index, event] of events.entries()) {
		if (index > 0) writer.byte(0x0a);
		results.push(writeEvent(writer, event));
	}
	return { text: decoder.decode(writer.memory.bytes.subarray(0, writer.position)), results };
}

function writeEvent(writer: EventWriter, event: Described): boolean {
	writer.sequence = event.sequence;
	writer.begin(template);
	writer.hexadecimal(event.id % 2 ** 48, 12);
	writer.time(event.seconds, event.fraction, event.digits);
	if (event.subject !== undefined) {
		writer.subject();
		append(writer, event.subject);
	}
	writer.data();
	if (event.metadata !== undefined) {
		writer.metadata();
		writer.field(keyUnit);
		quoted(writer, event.metadata);
	}
	if (event.attributes !== undefined) {
		writer.attributes();
		for (const { name, pid } of event.attributes) {
			writer.field(keyName);
			quoted(writer, name);
			writer.field(keyPid);
			writer.decimal(pid);
		}
	}
	if (event.raw !== undefined) {
		const json = encoder.encode(JSON.stringify(event.raw));
		const memory = Memory.allocate(json.length);
		memory.bytes.set(json);
		writer.rawRecord();
		writer.raw(memory, 0, json.length);
	}
	return writer.end();
}

function quoted(writer: EventWriter, value: string): void {
	writer.byte(0x22);
	append(writer, value);
	writer.byte(0x22);
}

function append(writer: EventWriter, value: string): void {
	const bytes = encoder.encode(value);
	const memory = Memory.allocate(Math.max(1, bytes.length));
	memory.bytes.set(bytes);
	expect(writer.escaped(memory, 0, bytes.length)).toBe(true);
}

function checkEvent(parsed: Record<string, unknown>, event: Described): void {
	expect(Object.keys(parsed)).toEqual([...fixed, ...(event.subject === undefined ? [] : ["subject"]), "data"]);
	expect(parsed["specversion"]).toBe("1.0");
	expect(parsed["id"]).toBe(`kernel/${(event.id % 2 ** 48).toString(16).padStart(12, "0")}`);
	expect(parsed["source"]).toBe("/prod%2Feu/ip-10.0.0.1%20%22x%22/kernel");
	const fraction = String(event.fraction).padStart(event.digits, "0");
	expect(parsed["time"]).toBe(`${new Date(event.seconds * 1000).toISOString().slice(0, 19)}.${fraction}Z`);
	expect(parsed["sequence"]).toBe(String(event.sequence).padStart(20, "0"));
	expect(parsed["subject"]).toBe(wellFormed(event.subject));
	expect(parsed["data"]).toEqual({
		...(event.metadata === undefined ? {} : { metadata: { unit: wellFormed(event.metadata) } }),
		...(event.attributes === undefined
			? {}
			: {
					attributes: Object.fromEntries(
						event.attributes.flatMap(({ name, pid }) => [
							["process.executable.name", name],
							["process.pid", pid],
						]),
					),
				}),
		...(event.raw === undefined ? {} : { raw: JSON.parse(JSON.stringify(event.raw)) }),
	});
}

/** UTF-8 has no lone surrogates: encoding puts U+FFFD for them. */
function wellFormed(value: string | undefined): string | undefined {
	return value?.toWellFormed();
}
