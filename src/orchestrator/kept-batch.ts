import { assert } from "../base/assert.ts";
import type { Manifest } from "../lane/record.ts";
import { Memory } from "../platform/ffi/memory.ts";
import { batchHeadroom, batchTailroom } from "../sinks/sink.ts";
import type { SpoolRecord } from "../spool/record.ts";
import type { CutBatch } from "./batch-delivery.ts";
import { sliceBatch } from "./split-batch.ts";

/** A batch that can be sent again and in parts, from memory or from disk. */
export interface KeptBatch extends Pick<SpoolRecord, "run" | "count" | "firstSequence" | "lastSequence" | "lastCursor" | "payload"> {
	/** The batch as it came, where it comes from memory. */
	readonly whole?: CutBatch;
}

/** Some of the events of a batch, by their sequences, both included. */
export interface KeptRange {
	readonly first: number;
	readonly last: number;
	/** What is said of the source behind them. */
	readonly cursor: string;
}

/** A batch from memory. Its bytes are not copied. */
export function keptOf(cut: CutBatch): KeptBatch {
	const { run, count, firstSequence, lastSequence, lastCursor, memory, offset, length } = cut;
	const payload = memory.bytes.subarray(offset, offset + length);
	return { run, count, firstSequence, lastSequence, lastCursor, payload, whole: cut };
}

/** True where what a manifest announces is a batch, or a part of it. */
export function holds({ run, firstSequence, lastSequence }: KeptBatch, manifest: Manifest): boolean {
	return manifest.configuration === String(run) && manifest.firstSequence >= firstSequence && manifest.lastSequence <= lastSequence;
}

/** Cuts batches out of kept ones, one at a time: the memory of one is that of the next. */
export class KeptCutter {
	#memory: Memory | undefined;

	/** Events of a batch as one of their own: itself where they are all of it and it comes from memory. */
	cut(kept: KeptBatch, { first, last, cursor }: KeptRange): CutBatch {
		const { payload, firstSequence, lastSequence, run, whole } = kept;
		assert(first >= firstSequence && last <= lastSequence && first <= last, "The events are in the batch");
		const count = last - first + 1;
		const isWhole = first === firstSequence && last === lastSequence;
		if (isWhole && whole !== undefined) return whole;
		const text = isWhole ? payload : sliceBatch(payload, first - firstSequence, count);
		const needed = batchHeadroom + text.length + batchTailroom;
		if (this.#memory === undefined || this.#memory.length < needed) this.#memory = Memory.allocate(needed);
		const memory = this.#memory;
		memory.bytes.set(text, batchHeadroom);
		return { memory, offset: batchHeadroom, length: text.length, count, firstSequence: first, lastSequence: last, lastCursor: cursor, run };
	}

	/** Lets the memory go. */
	release(): void {
		this.#memory = undefined;
	}
}
