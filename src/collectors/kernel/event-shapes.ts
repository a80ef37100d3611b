import { assert } from "../../base/assert.ts";
import { type EventWriter, sequenceDigits } from "../../event/event-writer.ts";
import { decimalDigits } from "../../event/json-writer.ts";
import { Memory } from "../../platform/ffi/memory.ts";
import { type EventHead, fractionDigits } from "./event-head.ts";
import { tapioRecord } from "./layout.gen.ts";
import { type NumberWriter, placesMax } from "./number-writer.ts";

/** Shapes remembered for one kind of record. A power of two; one more pushes out the one in its place. */
const shapesMax = 64;
/** Bytes of a remembered text at most; longer events are written anew each time. */
const textBytesMax = 2048;
/** 2^53 in the upper word. */
const highMax = 0x20_0000;

/** A number of a record that the text shows in decimal digits. */
export interface ShapedNumber {
	/** Its offset in the record; what the {@link NumberWriter} notes it under. */
	readonly at: number;
	/** 1 for 32 bits, 2 for 64. */
	readonly words: 1 | 2;
	/** Of a 64-bit number: offset of another one that is subtracted; where it is the larger, the difference counts as 0. */
	readonly minus?: number;
}

/** What decides about the text of a kind of record. */
export interface ShapedRecord {
	/** Bytes of the record that the text is made of. What stands there and is no number must be the same, word by word. */
	readonly bytes: number;
	readonly numbers: readonly ShapedNumber[];
	/** Where the remembered text ends: with the event, or inside its attributes, behind which the decoder goes on. */
	readonly part: "whole" | "attributes";
}

/** A text as it was written, and where its numbers stand, from the start of the event. */
class Shape {
	readonly text = Memory.allocate(textBytesMax);
	length = 0;
	readonly fixed: Uint32Array;
	readonly values: Float64Array;
	readonly widths: Int32Array;
	idWidth = 0;
	idAt = 0;
	fractionAt = 0;
	seconds = -1;
	/** Behind the digits of the sequence. */
	sequenceEnd = 0;
	slots = 0;
	readonly slotNumbers = new Int32Array(placesMax);
	readonly slotPositions = new Int32Array(placesMax);

	constructor(fixed: number, numbers: number) {
		this.fixed = new Uint32Array(fixed);
		this.values = new Float64Array(numbers);
		this.widths = new Int32Array(numbers);
	}
}

/**
 * Remembers how events of one kind were written: nearly always the next one differs in digits alone, and as many of them, because names, users, cgroups and
 * namespaces come again. Then the text is copied and its numbers are overwritten: 0.4 us for a fork or an exit where writing takes 0.7 to 0.9. Every hit is compared word by word. One thread.
 */
export class EventShapes {
	readonly #head: EventHead;
	readonly #places: NumberWriter;
	readonly #whole: boolean;
	readonly #shapes: (Shape | undefined)[] = Array.from({ length: shapesMax }, () => undefined);
	/** Indices of the words that are no numbers. */
	readonly #fixed: Int32Array;
	readonly #at: Int32Array;
	readonly #minus: Int32Array;
	readonly #isWide: Uint8Array;
	/** Of the record at hand. */
	readonly #values: Float64Array;
	readonly #widths: Int32Array;
	#idWidth = 0;
	#slot = 0;
	/** False where a number of the record at hand is beyond what a double holds: such an event is not remembered. */
	#isExact = false;

	constructor(head: EventHead, places: NumberWriter, record: ShapedRecord) {
		this.#head = head;
		this.#places = places;
		this.#whole = record.part === "whole";
		const { numbers } = record;
		const taken = new Set(numbers.flatMap(({ at, words }) => Array.from({ length: words }, (_, word) => at / 4 + word)));
		// The time is written from the head's words anew each time.
		this.#fixed = Int32Array.from(
			Array.from({ length: (record.bytes - tapioRecord.size) / 4 }, (_, word) => tapioRecord.size / 4 + word).filter((word) => !taken.has(word)),
		);
		this.#at = Int32Array.from(numbers, ({ at }) => at / 4);
		this.#minus = Int32Array.from(numbers, ({ minus }) => (minus === undefined ? -1 : minus / 4));
		this.#isWide = Uint8Array.from(numbers, ({ words }) => words - 1);
		this.#values = new Float64Array(numbers.length);
		this.#widths = new Int32Array(numbers.length);
	}

	/**
	 * Writes the event of the record at `offset` where its shape is known. False where it is not, or does not fit: then write it from `begin` to `end`, its numbers by
	 * the NumberWriter, and {@link keep} it.
	 */
	repeat(memory: Memory, offset: number, event: EventWriter): boolean {
		this.#places.begin();
		const shape = this.#find(memory.words, offset >>> 2, event.sequence);
		if (shape === undefined) return false;
		const start = event.position;
		if (!event.repeat(shape.text, shape.length, this.#whole)) return false;
		const { slotNumbers, slotPositions, slots, values: written } = shape;
		const values = this.#values;
		const widths = this.#widths;
		for (let slot = 0; slot < slots; slot++) {
			const number = slotNumbers[slot] ?? 0;
			const value = values[number] ?? 0;
			// The parent of many is one.
			if (value !== written[number]) event.overwrite(start + (slotPositions[slot] ?? 0), value, widths[number] ?? 0);
		}
		const { idWidth } = shape;
		event.overwrite(start + shape.idAt, event.sequence, idWidth);
		event.overwrite(start + shape.sequenceEnd - idWidth, event.sequence, idWidth);
		this.#writeTime(shape, memory, offset, event, start);
		return true;
	}

	/** Remembers what was written since `begin`, for the record that `repeat` did not know. Call it where the part ends that is remembered. */
	keep(memory: Memory, offset: number, event: EventWriter): void {
		const { start } = event;
		const length = event.position - start;
		if (event.overflow || !this.#isExact || length > textBytesMax) return;
		const shape = this.#shapes[this.#slot] ?? new Shape(this.#fixed.length, this.#at.length);
		this.#shapes[this.#slot] = shape;
		const first = offset >>> 2;
		for (let index = 0; index < this.#fixed.length; index++) shape.fixed[index] = memory.words[first + (this.#fixed[index] ?? 0)] ?? 0;
		shape.values.set(this.#values);
		shape.widths.set(this.#widths);
		shape.idWidth = this.#idWidth;
		shape.idAt = this.#head.idAt - start;
		shape.fractionAt = event.fractionAt - start;
		shape.sequenceEnd = event.sequenceAt - start + sequenceDigits;
		shape.seconds = this.#head.seconds;
		const { count, sources, positions } = this.#places;
		shape.slots = count;
		for (let slot = 0; slot < count; slot++) {
			const number = this.#at.indexOf((sources[slot] ?? 0) / 4);
			assert(number !== -1, "Every number that is written is one of the record's");
			shape.slotNumbers[slot] = number;
			shape.slotPositions[slot] = (positions[slot] ?? 0) - start;
		}
		shape.text.copy(0, event.memory, start, length);
		shape.length = length;
	}

	#writeTime(shape: Shape, memory: Memory, offset: number, event: EventWriter, start: number): void {
		const head = this.#head;
		head.readTime(memory, offset);
		const at = start + shape.fractionAt;
		if (head.seconds !== shape.seconds) event.overwriteSeconds(at, head.seconds);
		event.overwrite(at, head.nanoseconds, fractionDigits);
	}

	#find(words: Uint32Array, first: number, sequence: number): Shape | undefined {
		const idWidth = widthOf(sequence);
		const values = this.#values;
		const widths = this.#widths;
		const fixed = this.#fixed;
		const count = widths.length;
		let hash = idWidth;
		this.#idWidth = idWidth;
		this.#isExact = true;
		for (let index = 0; index < count; index++) {
			const value = this.#value(words, first, index);
			const width = widthOf(value);
			values[index] = value;
			widths[index] = width;
			hash = (Math.imul(hash, 31) + width) | 0;
		}
		const fixedCount = fixed.length;
		for (let index = 0; index < fixedCount; index++) hash = (Math.imul(hash, 31) + (words[first + (fixed[index] ?? 0)] ?? 0)) | 0;
		const slot = (hash ^ (hash >>> 15)) & (shapesMax - 1);
		this.#slot = slot;
		const shape = this.#shapes[slot];
		return shape !== undefined && this.#isExact && this.#matches(shape, words, first) ? shape : undefined;
	}

	#value(words: Uint32Array, first: number, index: number): number {
		const at = first + (this.#at[index] ?? 0);
		const minus = this.#minus[index] ?? 0;
		let low = words[at] ?? 0;
		if (this.#isWide[index] === 0) return low;
		let high = words[at + 1] ?? 0;
		if (minus !== -1) {
			low -= words[first + minus] ?? 0;
			high -= (words[first + minus + 1] ?? 0) + (low < 0 ? 1 : 0);
			if (high < 0) return 0;
			low >>>= 0;
		}
		if (high >= highMax) this.#isExact = false;
		return high * 4_294_967_296 + low;
	}

	#matches(shape: Shape, words: Uint32Array, first: number): boolean {
		if (shape.idWidth !== this.#idWidth) return false;
		const widths = this.#widths;
		const expectedWidths = shape.widths;
		const count = widths.length;
		for (let index = 0; index < count; index++) {
			if (expectedWidths[index] !== widths[index]) return false;
		}
		const fixed = this.#fixed;
		const expected = shape.fixed;
		const fixedCount = fixed.length;
		for (let index = 0; index < fixedCount; index++) {
			if (expected[index] !== words[first + (fixed[index] ?? 0)]) return false;
		}
		return true;
	}
}

/** Decimal digits of a whole number below 2^53, and 0 for 0: a decoder may leave a 0 out, so that it is a shape of its own. */
function widthOf(value: number): number {
	return value === 0 ? 0 : decimalDigits(value);
}
