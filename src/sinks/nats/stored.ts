import type { JetStreamManager } from "@nats-io/jetstream";
import type { Batch } from "../sink.ts";
import { decodeCursor } from "./headers.ts";
import { explainApiFailure } from "./stream.ts";

/** The last message on a lane's subject, as the stream holds it. */
export interface StoredBatch {
	/** Its sequence in the stream: the guard of the next batch. */
	readonly streamSequence: number;
	/** Lane that wrote it; "" where it carries none, because something else than an agent wrote it. */
	readonly lane: string;
	readonly number: number;
	readonly count: number;
	readonly cursor: string;
	readonly sequence: number;
	/** The run that cut it; 0 where it does not say. */
	readonly run: number;
	/** Events that its lane had delivered with it; 0 where it does not say. */
	readonly published: number;
}

/** Asks the leader of the stream, never a replica, for the last message on a subject. Undefined for none. Rejects with OperatingError. */
export async function readLastBatch(manager: JetStreamManager, stream: string, subject: string): Promise<StoredBatch | undefined> {
	try {
		// nats-server 2.9 ends with a panic where it is asked for a message of a stream that is being made: an empty one is not asked.
		if ((await manager.streams.info(stream)).state.messages === 0) return undefined;
		const message = await manager.streams.getMessage(stream, { last_by_subj: subject });
		if (message === null) return undefined;
		const header = (name: string) => message.header.get(name);
		return {
			streamSequence: message.seq,
			lane: header("Tapio-Lane"),
			number: whole(header("Tapio-Batch")),
			count: whole(header("Tapio-Count")),
			cursor: decodeCursor(header("Tapio-Last-Cursor")),
			sequence: whole(header("Tapio-Last-Sequence")),
			run: whole(header("Tapio-Run")),
			published: whole(header("Tapio-Published")),
		};
	} catch (error) {
		throw explainApiFailure(error, `Ask the stream ${stream} for the last batch on ${subject}`);
	}
}

/** True where the stream no longer holds a message that it once stored. Rejects with OperatingError. */
export async function isRemoved(manager: JetStreamManager, stream: string, streamSequence: number): Promise<boolean> {
	try {
		return (await manager.streams.getMessage(stream, { seq: streamSequence })) === null;
	} catch (error) {
		throw explainApiFailure(error, `Ask the stream ${stream} for its message ${streamSequence}`);
	}
}

/** True where what is stored is this very batch, and not one that another writer gave the same number. */
export function isSameBatch(stored: StoredBatch, batch: Batch): boolean {
	if (stored.number !== batch.number || stored.run !== batch.run || stored.sequence !== batch.lastSequence) return false;
	// Of a run each number is one batch, which may hold fewer events than it covers: those that no message can carry are left out.
	return batch.run > 0 || (stored.count === batch.count && stored.cursor === batch.lastCursor);
}

/** True where what is stored is of another run than this batch, or of the same and before its end, under its number or a later one. Only for lanes whose batches name their run. */
export function isEarlierCut(stored: StoredBatch, { number, run, lastSequence }: Batch): boolean {
	return stored.run > 0 && run > 0 && stored.number >= number && (stored.run !== run || stored.sequence < lastSequence);
}

/** True where this batch holds events that are stored already. Only for sources that can be read again: the others give each event a place once. */
export function overlaps(stored: StoredBatch, batch: Batch): boolean {
	return batch.run === 0 && stored.cursor !== "" && batch.lastSequence - batch.count < stored.sequence;
}

/**
 * True where what is stored begins where this batch does and is another one: the same source, cut at another place, or under a number that a stream that went back
 * had made necessary and the state forgot. Only for sources that can be read again.
 */
export function isOtherCut(stored: StoredBatch, batch: Batch): boolean {
	const beginsTogether = stored.count > 0 && stored.sequence - stored.count === batch.lastSequence - batch.count;
	const isOther = stored.number === batch.number ? stored.sequence !== batch.lastSequence : stored.number > batch.number;
	return batch.run === 0 && stored.cursor !== "" && beginsTogether && isOther;
}

function whole(text: string): number {
	return /^\d{1,15}$/.test(text) ? Number(text) : 0;
}
