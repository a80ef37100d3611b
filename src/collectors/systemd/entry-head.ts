import { assert } from "../../base/assert.ts";
import type { EventTemplate, EventWriter } from "../../event/event-writer.ts";
import { literal } from "../../event/json-writer.ts";
import { Memory } from "../../platform/ffi/memory.ts";
import { type CursorPoint, idBytes, idStart, numberStart } from "./cursor-point.ts";

const hyphen = 0x2d;
const microsecondsPerSecond = 1_000_000;
const fractionDigits = 6;
/** 2^53, written out: a computed constant is looked up at every use. */
const exactBelow = 9_007_199_254_740_992;

/** Writes the id of an entry's event, `<s>-<i>-<x>` of its cursor: what names the entry for ever. */
export function writeEventId(event: EventWriter, { memory, numberLength, sumAt, length }: CursorPoint): void {
	event.raw(memory, idStart, idBytes);
	event.byte(hyphen);
	event.raw(memory, numberStart, numberLength);
	event.byte(hyphen);
	event.raw(memory, sumAt, length - sumAt);
}

/** Writes the time of an entry's event, which is when journald received it, and the place of its sequence. */
export function writeEventTime(event: EventWriter, { realtime }: CursorPoint): void {
	const seconds = wholeSeconds(realtime);
	event.time(seconds, Math.min(realtime - seconds * microsecondsPerSecond, microsecondsPerSecond - 1), fractionDigits);
}

/** Seconds in a number of microseconds. The quotient of a late time may round up to the next whole one. */
function wholeSeconds(microseconds: number): number {
	const seconds = Math.floor(microseconds / microsecondsPerSecond);
	return seconds * microsecondsPerSecond > microseconds ? seconds - 1 : seconds;
}

const cursorOpen = literal('{"__CURSOR":"');
const realtimeOpen = literal('","__REALTIME_TIMESTAMP":"');
const monotonicOpen = literal('","__MONOTONIC_TIMESTAMP":"');
const timeOpenLength = '","time":"2026-01-02T03:04:05.'.length;

/** Shapes remembered: sums have 16 digits, or now and then fewer. */
const shapesMax = 4;
/** More than a head takes whose source and ids are of ordinary length; a longer one is written anew every time. */
const headBytesMax = 1024;

/** A head as it was written, and where its changing parts stand, from the start of the memory it was written to. */
class Shape {
	/** The head's text. */
	readonly text = Memory.allocate(headBytesMax);
	id = "";
	boot = "";
	seconds = -1;
	numberLength = 0;
	cursorLength = 0;
	sumLength = 0;
	monotonicMin = 0;
	monotonicMax = 0;
	numberAt = 0;
	fractionAt = 0;
	sequenceAt = 0;
	cursorAt = 0;
	realtimeAt = 0;
	monotonicAt = 0;
	end = 0;

	/** True where this head becomes that of the entry when its digits are overwritten. */
	fits(point: CursorPoint, seconds: number): boolean {
		const { monotonic } = point;
		return (
			seconds === this.seconds &&
			point.realtime < exactBelow &&
			point.length === this.cursorLength &&
			point.length - point.sumAt === this.sumLength &&
			point.numberLength === this.numberLength &&
			monotonic >= this.monotonicMin &&
			monotonic < this.monotonicMax &&
			point.id === this.id &&
			point.boot === this.boot
		);
	}
}

/**
 * Writes the head of an entry's event: everything up to the fields of the raw entry. The head of an entry before still stands in the memory, and
 * nearly always it has the same shape, so that only digits have to be overwritten: 0.2 us where a new one takes 0.4. One thread.
 */
export class EntryHead {
	/** Where the cursor stands in the memory. */
	cursorOffset = 0;
	readonly #template: EventTemplate;
	readonly #shapes = Array.from({ length: shapesMax }, () => new Shape());
	/** The shape of the head that stands in the memory, and where it starts. */
	#standing: Shape | undefined;
	#start = 0;
	#boot = "";
	#bootText = literal("");

	constructor(template: EventTemplate) {
		this.#template = template;
	}

	/** Writes at the writer's position, which must be the same in every call, in the same memory, which nobody else writes to up to there. */
	write(out: EventWriter, point: CursorPoint): void {
		const seconds = wholeSeconds(point.realtime);
		const shape = this.#shapes[(point.length - point.sumAt) & (shapesMax - 1)];
		assert(shape !== undefined, "There is a shape for every length");
		if (!shape.fits(point, seconds)) {
			this.#compose(out, point, shape, seconds);
		} else {
			assert(out.position === this.#start, "The head is where it was");
			if (this.#standing !== shape) out.memory.copy(this.#start, shape.text, 0, shape.end - this.#start);
			this.#overwrite(out, point, shape, point.realtime - seconds * microsecondsPerSecond);
		}
		this.#standing = shape;
		this.cursorOffset = shape.cursorAt;
	}

	#overwrite(out: EventWriter, point: CursorPoint, shape: Shape, fraction: number): void {
		const { memory } = out;
		const { bytes } = memory;
		const from = point.memory.bytes;
		let at = shape.numberAt;
		for (let index = 0; index < shape.numberLength; index++) bytes[at++] = from[numberStart + index] ?? 0;
		memory.copy(at + 1, point.memory, point.sumAt, shape.sumLength);
		out.position = shape.fractionAt;
		out.decimal(fraction, fractionDigits);
		memory.copy(shape.cursorAt, point.memory, 0, point.length);
		for (let index = 0; index < fractionDigits; index++) bytes[shape.realtimeAt + index] = bytes[shape.fractionAt + index] ?? 0;
		out.position = shape.monotonicAt;
		out.decimal(point.monotonic);
		out.resumeRaw(this.#start, shape.end, shape.sequenceAt);
	}

	#compose(out: EventWriter, point: CursorPoint, shape: Shape, seconds: number): void {
		this.#start = out.position;
		out.begin(this.#template);
		shape.numberAt = out.position + idBytes + 1;
		writeEventId(out, point);
		shape.fractionAt = out.position + timeOpenLength;
		writeEventTime(out, point);
		shape.sequenceAt = out.sequenceAt;
		out.data();
		out.rawRecord();
		out.literal(cursorOpen);
		shape.cursorAt = out.position;
		out.raw(point.memory, 0, point.length);
		out.literal(realtimeOpen);
		writeStamp(out, point, "realtime");
		shape.realtimeAt = out.position - fractionDigits;
		out.literal(monotonicOpen);
		shape.monotonicAt = out.position;
		writeStamp(out, point, "monotonic");
		const digits = out.position - shape.monotonicAt;
		if (point.boot !== this.#boot) {
			this.#boot = point.boot;
			this.#bootText = literal(`","_BOOT_ID":"${point.boot}"`);
		}
		out.literal(this.#bootText);
		assert(!out.overflow, "Every record has room for a head");
		this.#remember(out, point, shape, seconds, digits);
	}

	#remember(out: EventWriter, point: CursorPoint, shape: Shape, seconds: number, digits: number): void {
		const length = out.position - this.#start;
		// Below a second the realtime stamp has fewer digits than its fraction; and what is no exact number is written anew.
		const isPlain = seconds > 0 && length <= headBytesMax && Number.isSafeInteger(point.realtime) && Number.isSafeInteger(point.monotonic);
		shape.seconds = isPlain ? seconds : -1;
		if (isPlain) shape.text.copy(0, out.memory, this.#start, length);
		shape.id = point.id;
		shape.boot = point.boot;
		shape.numberLength = point.numberLength;
		shape.cursorLength = point.length;
		shape.sumLength = point.length - point.sumAt;
		shape.monotonicMin = digits === 1 ? 0 : 10 ** (digits - 1);
		shape.monotonicMax = Math.min(10 ** digits, exactBelow);
		shape.end = out.position;
	}
}

function writeStamp(out: EventWriter, point: CursorPoint, clock: "realtime" | "monotonic"): void {
	const microseconds = point[clock];
	if (Number.isSafeInteger(microseconds)) out.decimal(microseconds);
	else out.ascii(point.exact(clock).toString());
}
