import * as v from "valibot";
import { OperatingError } from "../../src/base/errors.ts";
import {
	type Collector,
	type CollectorContext,
	type CollectorDefinition,
	type CollectorStatistics,
	type Decoded,
	type Decoder,
	sourceCapabilities,
} from "../../src/collectors/collector.ts";
import { type EventWriter, eventSource, eventTemplate, type NodeIdentity } from "../../src/event/event-writer.ts";
import { literal } from "../../src/event/json-writer.ts";
import type { RingReader } from "../../src/ring/reader.ts";
import { counterOwn, type RecordWriter } from "../../src/ring/writer.ts";
import type { Health } from "../../src/telemetry/health.ts";

/*
 * A record of the mock: word 0 its number from 1, word 1 its length, then the number again as 20 digits, which is its cursor, then bytes that follow
 * from number and place, so that a torn or mixed record is seen.
 */
const cursorAt = 8;
const cursorDigits = 20;
const fillAt = cursorAt + cursorDigits;
/** Bytes of the smallest record. */
export const mockRecordBytesMin = fillAt;
/** How long a hang lasts at most, in milliseconds, so that a test that goes wrong ends. */
const hangMax = 60_000;
const kindRecord = 0;
/** Kind of a record that carries a position and no event. */
export const kindPosition = 1;

const schema = v.strictObject({
	/** What the polls do, one step after the other. After the last one every poll finds nothing. */
	steps: v.optional(
		v.array(
			v.union([
				/** So many records of so many bytes, at most `perPoll` in one poll. */
				v.strictObject({ emit: v.number(), size: v.optional(v.number(), 64), perPoll: v.optional(v.number(), 256) }),
				/** So many records in one poll, whether there is room or not, as a live source gives them. */
				v.strictObject({ flood: v.number(), size: v.optional(v.number(), 64) }),
				/** So many polls that find nothing. */
				v.strictObject({ idle: v.number() }),
				/** So many records that the source leaves out on purpose. */
				v.strictObject({ discard: v.number() }),
				/** A record that carries a position and no event. */
				v.strictObject({ position: v.literal(true) }),
				/** The poll throws, never returns, or takes the process along. */
				v.strictObject({ fault: v.picklist(["throw", "hang", "die"]) }),
			]),
		),
		[],
	),
	/** start() throws. */
	startFails: v.optional(v.boolean(), false),
	/** stop() throws, after it has stopped. */
	stopFails: v.optional(v.boolean(), false),
});

/** A script with its defaults filled in. */
export type MockConfig = v.InferOutput<typeof schema>;
/** A script as a test writes it. */
export type MockScript = v.InferInput<typeof schema>;

/** A source of scripted records that can misbehave on request. Replayable: it goes on behind the position that it is given. */
export class MockEventSource implements Collector {
	readonly name = "mock";
	readonly pollInterval = 5;
	readonly descriptor = -1;
	/** Polls so far. */
	polls = 0;
	readonly #config: MockConfig;
	#context: CollectorContext | undefined;
	#step = 0;
	/** Records, or polls, of the current step that are done. */
	#done = 0;
	/** Number of the last record the script came to, delivered before or now. */
	#number = 0;
	#skipTo = 0;
	#emitted = 0;

	constructor(config: MockConfig) {
		this.#config = config;
	}

	capabilities(): number {
		return this.#context === undefined ? 0 : sourceCapabilities.process | sourceCapabilities.realtime;
	}

	start(context: CollectorContext): void {
		if (this.#context !== undefined) throw new OperatingError("already_started", "Start mock: it runs already");
		if (this.#config.startFails) throw new OperatingError("mock_start", "Start mock: the script says no", { hint: "change the script" });
		this.#context = context;
		this.#step = 0;
		this.#done = 0;
		this.#number = 0;
		this.#skipTo = Number(context.position ?? 0);
	}

	poll(): number {
		this.polls++;
		const context = this.#context;
		const step = this.#config.steps[this.#step];
		if (context === undefined || step === undefined) return 0;
		if ("fault" in step) return fail(step.fault);
		if ("emit" in step) return this.#emit(context, step);
		if ("flood" in step) {
			for (let index = 0; index < step.flood; index++) {
				this.#number++;
				this.#write(context, step.size, kindRecord);
			}
		} else if ("discard" in step) {
			context.writer.count(counterOwn, step.discard);
		} else if ("position" in step) {
			this.#write(context, mockRecordBytesMin, kindPosition);
		} else if (++this.#done < step.idle) {
			return 0;
		}
		this.#next();
		return "flood" in step ? step.flood : Number("position" in step);
	}

	stop(): void {
		const ran = this.#context !== undefined;
		this.#context = undefined;
		if (ran && this.#config.stopFails) throw new OperatingError("mock_stop", "Stop mock: the script says no");
	}

	health(): Health {
		if (this.#context === undefined) return { status: "unknown", message: "not started" };
		return this.finished ? { status: "healthy", message: "the script has come to its end" } : { status: "healthy", message: "the script is played" };
	}

	statistics(): CollectorStatistics {
		return { emitted: this.#emitted };
	}

	/** True where every step was played. */
	get finished(): boolean {
		return this.#step >= this.#config.steps.length;
	}

	#emit(context: CollectorContext, step: { readonly emit: number; readonly size: number; readonly perPoll: number }): number {
		let moved = 0;
		while (this.#done < step.emit && moved < step.perPoll) {
			if (this.#number < this.#skipTo) this.#number++;
			else if (context.writer.hasRoom(step.size)) {
				this.#number++;
				this.#write(context, step.size, kindRecord);
				moved++;
			} else break;
			this.#done++;
		}
		if (this.#done === step.emit) this.#next();
		return moved;
	}

	#write({ writer }: CollectorContext, size: number, kind: number): void {
		if (writeMockRecord(writer, this.#number, size, kind)) this.#emitted++;
	}

	#next(): void {
		this.#step++;
		this.#done = 0;
	}
}

/** Writes record `number` of `size` bytes; false where the ring has no room. */
export function writeMockRecord(writer: RecordWriter, number: number, size: number, kind = kindRecord): boolean {
	const offset = writer.reserve(size);
	if (offset === -1) return false;
	const { words, bytes } = writer.memory;
	words[offset >>> 2] = number;
	words[(offset >>> 2) + 1] = size;
	const cursor = String(number).padStart(cursorDigits, "0");
	for (let index = 0; index < cursorDigits; index++) bytes[offset + cursorAt + index] = cursor.charCodeAt(index);
	for (let index = fillAt; index < size; index++) bytes[offset + index] = (number + index) & 0xff;
	writer.submit(kind);
	return true;
}

/** Makes the source of a script. */
export function mockEventSource(script: MockScript = {}): MockEventSource {
	return new MockEventSource(v.parse(schema, script));
}

function fail(fault: "throw" | "hang" | "die"): number {
	if (fault === "throw") throw new OperatingError("mock_fault", "Poll mock: the script says no");
	if (fault === "die") process.kill(process.pid, "SIGKILL");
	// Blocks the thread, as a call into C that does not return would.
	Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, hangMax);
	return 0;
}

const numberKey = literal('"mock.number":');
const paddingKey = literal('"mock.padding":"');

/** Turns records of the mock into events as large as their records, and proves that each record is whole. */
class MockDecoder implements Decoder {
	cursorOffset = 0;
	cursorLength = 0;
	readonly #template: ReturnType<typeof eventTemplate>;

	constructor(identity: NodeIdentity) {
		this.#template = eventTemplate(eventSource(identity, "mock"), "tapio.mock.event", "info", "mock-");
	}

	decode(record: RingReader, event: EventWriter): Decoded {
		const { words, bytes } = record.memory;
		const number = words[record.offset >>> 2] ?? 0;
		this.cursorOffset = record.offset + cursorAt;
		this.cursorLength = cursorDigits;
		if (record.kind === kindPosition) return "none";
		if (words[(record.offset >>> 2) + 1] !== record.length) throw new Error(`Record ${number} has another length than it had`);
		for (let index = fillAt; index < record.length; index++) {
			if (bytes[record.offset + index] !== ((number + index) & 0xff)) throw new Error(`Record ${number} differs at byte ${index}`);
		}
		event.begin(this.#template);
		event.decimal(number);
		event.time(1_767_323_045, 0, 6);
		event.data();
		event.attributes();
		event.field(numberKey);
		event.decimal(number);
		event.field(paddingKey);
		for (let index = fillAt; index < record.length; index++) event.byte(0x2e);
		event.byte(0x22);
		return event.end() ? "event" : "full";
	}
}

/** The mock as the registry would list it. */
export const mockCollector: CollectorDefinition<MockConfig> = {
	name: "mock",
	summary: "Scripted records, for tests.",
	delivery: "replayable",
	host: "io",
	config: schema,
	counters: [{ name: "scripted", kind: "discarded", description: "Records that the script leaves out." }],
	events: [{ type: "tapio.mock.event", description: "A scripted record." }],
	create: async (config) => new MockEventSource(config),
	createDecoder: async (_config, identity) => new MockDecoder(identity),
	probe: async () => undefined,
};
