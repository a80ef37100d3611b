import { assert } from "../base/assert.ts";
import { fitEvent } from "./oversize.ts";

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

/** A part of a batch that is a batch of its own. */
export interface BatchPart {
	/** A JSON array of `count` events, in memory of its own. */
	readonly text: Uint8Array;
	/** At least 1. */
	readonly count: number;
	/** Events of the whole batch up to and with the last one of this part, those that were left out among them. */
	readonly through: number;
	/** Events that were cut to fit; among `count`. */
	readonly truncated: number;
}

/** What a batch was split into. */
export interface SplitBatch {
	readonly parts: readonly BatchPart[];
	/** Events that fit in no form. */
	readonly tooLarge: number;
}

/**
 * Splits a batch, a JSON array of events, into batches of at most `bytesMax` each, in order. An event that is larger by itself is cut; one that cannot be cut
 * so far is left out and counted.
 */
export function splitBatch(batch: Uint8Array, bytesMax: number): SplitBatch {
	const parts: BatchPart[] = [];
	let events: Uint8Array[] = [];
	let length = 1;
	let truncated = 0;
	let through = 0;
	let tooLarge = 0;
	const close = () => {
		if (events.length > 0) parts.push({ text: arrayOf(events, length), count: events.length, through, truncated });
		events = [];
		length = 1;
		truncated = 0;
	};
	for (const event of elementsOf(batch)) {
		const isLarge = event.length + 2 > bytesMax;
		const text = isLarge ? fitEvent(event, bytesMax - 2) : event;
		if (text !== undefined && length + text.length + 1 > bytesMax) close();
		through++;
		if (text === undefined) {
			tooLarge++;
			continue;
		}
		events.push(text);
		length += text.length + 1;
		if (isLarge) truncated++;
	}
	close();
	return { parts, tooLarge };
}

/** The events of a batch from index `from` on, `count` of them, as a batch of their own. */
export function sliceBatch(batch: Uint8Array, from: number, count: number): Uint8Array {
	const events = elementsOf(batch).slice(from, from + count);
	assert(count > 0 && events.length === count, "The events are in the batch");
	return arrayOf(
		events,
		events.reduce((sum, event) => sum + event.length + 1, 1),
	);
}

/** Views of the elements of a JSON array whose elements are objects. The text is JSON of our own making. */
export function elementsOf(array: Uint8Array): Uint8Array[] {
	assert(array[0] === openBracket && array.at(-1) === closeBracket, "A batch is an array");
	const elements: Uint8Array[] = [];
	let depth = 0;
	let start = 1;
	for (let index = 1; index < array.length - 1; index++) {
		const byte = array[index];
		if (byte === quote) index = endOfText(array, index);
		else if (byte === openBrace || byte === openBracket) depth++;
		else if (byte === closeBrace || byte === closeBracket) depth--;
		else if (byte === comma && depth === 0) {
			elements.push(array.subarray(start, index));
			start = index + 1;
		}
	}
	assert(depth === 0, "Brackets come in pairs");
	if (array.length > 2) elements.push(array.subarray(start, array.length - 1));
	return elements;
}

/** Index of the quote that ends the text which begins at `start`. */
function endOfText(array: Uint8Array, start: number): number {
	let index = start + 1;
	while (array[index] !== quote) {
		assert(index < array.length, "A text ends");
		index += array[index] === backslash ? 2 : 1;
	}
	return index;
}

function arrayOf(elements: readonly Uint8Array[], length: number): Uint8Array {
	// One bracket, and a comma or the last bracket behind each element.
	const text = new Uint8Array(length);
	text[0] = openBracket;
	let at = 1;
	for (const element of elements) {
		text.set(element, at);
		at += element.length;
		text[at++] = comma;
	}
	text[at - 1] = closeBracket;
	assert(at === length, "The parts fill the array");
	return text;
}
