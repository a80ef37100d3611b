import type { BootClock } from "../../platform/ffi/boot-clock.ts";
import type { RecordWriter } from "../../ring/writer.ts";
import { tapioRecord, tapioType } from "./layout.gen.ts";

/*
 * A gap record is written by the collector, never by a program: the head that all records have, then for each kind of record, by its number, a count
 * of 64 bits of those that the kernel had no room for since the gap before.
 */
const countsAt = tapioRecord.size;

/** Bytes of a gap record. */
export const gapBytes: number = countsAt + 8 * tapioType.typesMax;

/** Offset of the count of one kind. */
export function gapCountAt(type: number): number {
	return countsAt + 8 * type;
}

/** Writes a gap of `counts`, by kind. False where there is no room now: nothing is counted then, and the caller comes again. */
export function writeGap(writer: RecordWriter, clock: BootClock, counts: readonly number[]): boolean {
	if (!writer.hasRoom(gapBytes)) return false;
	const offset = writer.reserve(gapBytes);
	const { words } = writer.memory;
	const word = offset >>> 2;
	words.fill(0, word, word + gapBytes / 4);
	clock.now();
	words[word + tapioRecord.boottime / 4] = clock.nowLow;
	words[word + tapioRecord.boottime / 4 + 1] = clock.nowHigh;
	words[word + tapioRecord.offsetSeconds / 4] = clock.offsetSeconds;
	words[word + tapioRecord.offsetNanoseconds / 4] = clock.offsetNanoseconds;
	words[word + tapioRecord.type / 4] = tapioType.gap;
	for (let type = 0; type < tapioType.typesMax; type++) {
		const count = counts[type] ?? 0;
		words[word + gapCountAt(type) / 4] = count % 2 ** 32;
		words[word + gapCountAt(type) / 4 + 1] = Math.floor(count / 2 ** 32);
	}
	writer.submit(tapioType.gap);
	return true;
}
