import type { RingReader } from "../../src/ring/reader.ts";
import { counterOwn, type RecordWriter, type RingProducer } from "../../src/ring/writer.ts";

/** What a producer of the soak tests does, the same in a worker and in a process. */
export interface RingLoad {
	/** Records to offer; Infinity for a producer that is to be killed. */
	readonly records: number;
	/** wait: for room, so that nothing is lost. drop: never, so that the ring overflows. */
	readonly whenFull: "wait" | "drop";
	/** Records between two flushes. */
	readonly batch: number;
}

/** Set to 1 by the producer once everything is flushed. */
export const counterDone = counterOwn;

/** Offers the records of `load`: number n has a length and a content that follow from n. Blocks until all are flushed. */
export function produceLoad(producer: RingProducer, writer: RecordWriter, load: RingLoad): void {
	const { words } = writer.memory;
	for (let number = 0; number < load.records && !producer.stopping; number++) {
		const length = lengthOf(number);
		while (load.whenFull === "wait" && !writer.hasRoom(length)) {
			producer.flush();
			// Two cores and three busy threads: the consumer is to run.
			Bun.sleepSync(0.05);
		}
		const at = writer.reserve(length);
		if (at !== -1) {
			for (let word = at >>> 2, index = 0; index < length >>> 2; index++) words[word++] = wordOf(number, index);
			writer.submit(number & 0xffff);
		}
		if (number % load.batch === load.batch - 1) producer.flush();
	}
	producer.flush();
	writer.count(counterDone, 1);
	producer.flush();
}

/** What a consumer found. */
export interface RingFindings {
	leased: number;
	/** Number of the record after the last one. */
	next: number;
	/** Records out of order, of a wrong length or with a wrong word. */
	wrong: number;
	/** Numbers that were skipped: drops of the producer. */
	skipped: number;
}

/** Leases and checks at most `limit` records and commits them. Returns how many there were. */
export function consumeLoad(reader: RingReader, findings: RingFindings, limit: number): number {
	const { words } = reader.memory;
	let leased = 0;
	while (leased < limit && reader.lease()) {
		leased++;
		const number = words[reader.offset >>> 2] ?? 0;
		let isRight = number >= findings.next && reader.kind === (number & 0xffff) && reader.length === lengthOf(number);
		for (let word = reader.offset >>> 2, index = 0; index < reader.length >>> 2; index++)
			isRight = words[word++] === wordOf(number, index) && isRight;
		if (!isRight) findings.wrong++;
		findings.skipped += number - findings.next;
		findings.next = number + 1;
	}
	findings.leased += leased;
	reader.commit();
	return leased;
}

/** A consumer's findings before the first record. */
export function noFindings(): RingFindings {
	return { leased: 0, next: 0, wrong: 0, skipped: 0 };
}

/** 8 to 508 bytes, a multiple of 4. */
function lengthOf(number: number): number {
	return 8 + (((Math.imul(number, 0x9e3779b1) >>> 0) % 126) << 2);
}

function wordOf(number: number, index: number): number {
	return index === 0 ? number : Math.imul(number + index, 0x85ebca6b) >>> 0;
}
