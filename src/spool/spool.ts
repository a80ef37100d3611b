import { AssertionError, assert } from "../base/assert.ts";
import { OperatingError } from "../base/errors.ts";
import { MiB } from "../base/units.ts";
import type { SpoolFiles } from "../platform/spool-files.ts";
import { type Amount, type DropReason, minus, noAmount, noDrops, noRefusals, plus, type RefusalReason, type SpoolAccount } from "./account.ts";
import { Intake } from "./intake.ts";
import { closing } from "./open-segments.ts";
import { HeadReader } from "./reader.ts";
import type { AppendOutcome, SpoolEnd, SpoolLimits, SpoolRecord } from "./record.ts";
import { type FoundRecord, headsOf, withoutHoles } from "./scan.ts";
import {
	checksum,
	cursorBytesMax,
	encodeRecordHead,
	laneTag,
	type Place,
	payloadBytesMax,
	placeBehind,
	type RecordHead,
	recordBytes,
	type SpoolLane,
} from "./segment.ts";
import { type Last, Shelf, type SpoolBeginning, segmentsMax } from "./shelf.ts";

/** Expired records dropped by one `tick`. Beyond it the next one goes on. */
export const expiredMax = 4096;

/** The head as it was given out. */
interface Lease {
	readonly record: FoundRecord;
	/** Its segment was dropped meanwhile. It counts as left until it is acknowledged after all, or the head is asked for again. */
	isDropped: boolean;
}

/**
 * The spool of one lane, open. Batches go in behind and come out in front, in order. One thread; every call blocks for as long as the disk does. In memory it holds
 * one record while that is handed over, and a hundred bytes a segment. No disk makes `append`, `acknowledge`, `tick` and `sync` throw: what it refuses shows in what
 * they return, in `account.faults`, and in `fault`. `head` throws OperatingError "spool_read".
 */
export class Spool implements Disposable {
	readonly #lane: SpoolLane;
	readonly #files: SpoolFiles;
	readonly #folder: string;
	readonly #limits: SpoolLimits;
	readonly #tag: number;
	readonly #shelf: Shelf;
	readonly #intake: Intake;
	readonly #reader: HeadReader;
	#end: SpoolEnd;
	#lease: Lease | undefined;
	#syncedAt: number | undefined;
	readonly #found: Amount;
	#stored = noAmount;
	#acknowledged = noAmount;
	readonly #dropped = noDrops();
	readonly #refused = noRefusals();
	#faults = 0;
	#fault: OperatingError | undefined;
	#readFault: OperatingError | undefined;
	#isClosed = false;

	/** For openSpool alone. */
	constructor(files: SpoolFiles, folder: string, lane: SpoolLane, limits: SpoolLimits, beginning: SpoolBeginning) {
		assert(limits.maxBytes >= MiB, "A spool has room for a few segments");
		assert(limits.maxAge > 0, "A spool keeps something for a while");
		this.#lane = lane;
		this.#files = files;
		this.#folder = folder;
		this.#limits = limits;
		this.#tag = laneTag(lane);
		const note = (what: string, cause: unknown) => void this.#note(what, cause);
		this.#shelf = new Shelf(files, beginning, note);
		this.#intake = new Intake({ files, folder, lane, limits, shelf: this.#shelf, note });
		this.#reader = new HeadReader(files, this.#tag);
		const { gone, tail } = beginning;
		this.#end = gone.number > tail.number ? { number: gone.number, sequence: gone.sequence, run: 0, cursor: "" } : endOf(tail);
		this.#found = minus(this.#shelf.tail, this.#shelf.gone);
		this.#release();
	}

	/** What became of everything; made anew at each call. */
	get account(): SpoolAccount {
		const left = minus(this.#shelf.tail, this.#shelf.gone);
		return {
			found: this.#found,
			stored: this.#stored,
			acknowledged: this.#acknowledged,
			dropped: { ...this.#dropped },
			refused: { ...this.#refused },
			left: this.#lease?.isDropped === true ? plus(left, amountOf(this.#lease.record)) : left,
			bytes: this.#shelf.bytes,
			faults: this.#faults,
		};
	}

	/** What the disk refused last, until a record is stored again, or read again where it was a reading that failed: for the health of the agent. */
	get fault(): OperatingError | undefined {
		return this.#fault ?? this.#readFault;
	}

	/** The last record that was ever stored, as far as is known. */
	get end(): SpoolEnd {
		return this.#end;
	}

	/**
	 * Stores a record behind all others; it is on disk as the policy of `fsync` says when this returns "stored". Where the spool is at its limit, the oldest segments
	 * are dropped first. The payload is not kept.
	 */
	append(record: SpoolRecord): AppendOutcome {
		assert(!this.#isClosed, "The spool is open");
		assert(record.number > 0 && record.count > 0 && record.payload.length > 0, "A batch has a number and holds events");
		const cursor = new TextEncoder().encode(record.lastCursor);
		const amount: Amount = { records: 1, events: record.count };
		const lengths = { cursorBytes: cursor.length, payloadBytes: record.payload.length };
		const bytes = recordBytes(lengths);
		const isLarge = cursor.length > cursorBytesMax || record.payload.length > payloadBytesMax;
		if (isLarge || this.#intake.headerBytes + bytes > this.#limits.maxBytes) return this.#refuse("spool_too_large", amount);
		if (record.number <= this.#end.number) return this.#refuse("spool_order", amount);
		const bodySum = checksum(record.payload, checksum(cursor));
		const head: RecordHead = { ...record, ...lengths, before: this.#shelf.tail, bodySum };
		const parts = [encodeRecordHead(head, this.#tag), cursor, record.payload];
		try {
			this.#makeRoom(bytes);
			if (this.#shelf.isChoked) throw new Error("Too many old segments cannot be removed");
			this.#intake.write(record, parts);
		} catch (cause) {
			if (this.#intake.discardEmpty()) this.#reader.leave();
			const error = this.#note("Append to the spool", cause);
			return this.#refuse("spool_failed", amount, error);
		}
		this.#shelf.extend(placeBehind(head));
		this.#end = { number: record.number, sequence: record.lastSequence, run: record.run, cursor: record.lastCursor };
		this.#stored = plus(this.#stored, amount);
		this.#fault = undefined;
		return { status: "stored" };
	}

	#refuse(reason: RefusalReason, amount: Amount, error?: OperatingError): AppendOutcome {
		this.#refused[reason] = plus(this.#refused[reason], amount);
		return error === undefined ? { status: "refused", reason } : { status: "refused", reason, error };
	}

	/** Drops the oldest segments until a record of so many bytes fits. */
	#makeRoom(bytes: number): void {
		const { segments } = this.#shelf;
		let needed = this.#intake.prepare(bytes);
		while (segments.length > 0 && (this.#shelf.bytes + needed > this.#limits.maxBytes || segments.length >= segmentsMax)) {
			if (segments[0] === this.#intake.segment) this.#intake.seal();
			needed = this.#intake.prepare(bytes);
			this.#drop(this.#shelf.endOf(0), "spool_full");
			this.#release();
		}
	}

	/**
	 * The oldest record that is neither acknowledged nor dropped, undefined where there is none. The same one until it is acknowledged, unless it is dropped. What is
	 * damaged in front of it is skipped and counted, what is older than `max_age` at `now` dropped. `now` in milliseconds since 1970. Throws OperatingError
	 * "spool_read" where the disk fails; the call may be made again, and gives up the pages that the disk cannot read after the tenth time.
	 */
	head(now: number): SpoolRecord | undefined {
		assert(!this.#isClosed, "The spool is open");
		const wasDropped = this.#lease?.isDropped === true ? this.#lease : undefined;
		if (wasDropped !== undefined) this.#dropped.spool_full = plus(this.#dropped.spool_full, amountOf(wasDropped.record));
		this.#lease = undefined;
		try {
			// Every turn but the last takes something away.
			for (let record = this.#find(); record !== undefined; record = this.#find()) {
				const read = this.#isExpired(record, now) ? undefined : this.#reader.body(record);
				if (read?.kind === "whole") {
					this.#lease = { record, isDropped: false };
					this.#readFault = undefined;
					return recordOf(record.head, read.body);
				}
				this.#drop(placeBehind(record.head), read === undefined ? "spool_expired" : this.#lossReason(), lastOf(record));
			}
			return undefined;
		} catch (error) {
			if (error instanceof OperatingError) this.#readFault = error;
			this.#faults++;
			throw error;
		} finally {
			this.#release();
		}
	}

	#lossReason(): DropReason {
		return this.#reader.hasHoles ? "spool_unreadable" : "spool_damaged";
	}

	#isExpired({ head }: FoundRecord, now: number): boolean {
		return head.time + this.#limits.maxAge < now;
	}

	/** The record behind what is gone, with what is missing before it counted. Undefined where nothing is left. */
	#find(): FoundRecord | undefined {
		for (;;) {
			this.#release();
			const { gone, tail, segments } = this.#shelf;
			if (gone.records >= tail.records) return undefined;
			const [first] = segments;
			const end = this.#shelf.endOf(0);
			const found = first === undefined ? undefined : this.#reader.find(first, gone, end);
			if (found?.kind === "record") {
				const { before } = found.record.head;
				if (before.records > gone.records) this.#drop(before, this.#lossReason());
				return found.record;
			}
			// What is appended from now on is not to stand behind what cannot be read.
			if (first !== undefined && first === this.#intake.segment) this.#intake.seal();
			this.#drop(end, this.#lossReason());
		}
	}

	/**
	 * The head was delivered, and is done with. `number` is that of the record that `head` returned last; true where it was still there to be acknowledged, which it
	 * is even if its segment was dropped meanwhile.
	 */
	acknowledge(number: number): boolean {
		assert(!this.#isClosed, "The spool is open");
		const lease = this.#lease;
		if (lease === undefined || lease.record.head.number !== number) return false;
		this.#lease = undefined;
		this.#acknowledged = plus(this.#acknowledged, amountOf(lease.record));
		if (!lease.isDropped) this.#shelf.advance(placeBehind(lease.record.head), lastOf(lease.record));
		this.#release();
		return true;
	}

	/** What comes up with time: syncs where the interval is over, drops what is expired, removes what could not be removed before. `now` in milliseconds since 1970. */
	tick(now: number): void {
		assert(!this.#isClosed, "The spool is open");
		this.#syncIfDue(now);
		try {
			for (let dropped = 0; dropped < expiredMax && this.#lease === undefined; dropped++) {
				const record = this.#limits.maxAge === Number.POSITIVE_INFINITY ? undefined : this.#find();
				if (record === undefined || !this.#isExpired(record, now)) break;
				this.#drop(placeBehind(record.head), "spool_expired", lastOf(record));
			}
		} catch (cause) {
			this.#note("Look for what is expired in the spool", cause);
		}
		this.#release();
	}

	/**
	 * Number of the last record of a run that holds an event of `sequence` or before it; 0 where none is here. Reads the head of every record, and passes over what the
	 * disk cannot read. Throws OperatingError "spool_read" where it cannot open a segment.
	 */
	find(run: number, sequence: number): number {
		assert(!this.#isClosed, "The spool is open");
		const { segments, gone } = this.#shelf;
		let number = 0;
		for (const [index, segment] of segments.entries()) {
			try {
				const file = this.#files.read(segment.path);
				if (file === undefined) continue;
				const stretch = { file: withoutHoles(file), tag: this.#tag, end: segment.bytes, below: this.#shelf.endOf(index) };
				const least = index === 0 ? noAmount : segment.before;
				closing(file, () => {
					for (const head of headsOf(stretch, segment.headerBytes, least)) {
						const isLeft = head.before.records >= gone.records;
						if (isLeft && head.run === run && head.firstSequence <= sequence) number = head.number;
					}
				});
			} catch (cause) {
				throw new OperatingError("spool_read", `Read the spool in ${segment.path}`, { cause, hint: "check the disk of orchestrator.state_dir" });
			}
		}
		return number;
	}

	/**
	 * Where nothing is left, ends the segment that is written, so that it goes as well: behind a sync of the position, which no loss of power takes back then. Does
	 * nothing where something is left.
	 */
	rest(): void {
		assert(!this.#isClosed, "The spool is open");
		if (this.#shelf.gone.records < this.#shelf.tail.records) return;
		this.#intake.seal();
		this.#release();
		try {
			// A name that comes back with a loss of power would be foreign to a lane whose state was lost meanwhile.
			this.#files.syncDirectory(this.#folder);
		} catch (cause) {
			this.#note("Sync the folder of the spool", cause);
		}
	}

	#syncIfDue(now: number): void {
		const { fsync } = this.#limits;
		if (typeof fsync !== "number" || !this.#intake.isDirty) return;
		// A clock that was set back must not put the sync off.
		const isEarly = this.#syncedAt !== undefined && now >= this.#syncedAt && now - this.#syncedAt < fsync;
		if (isEarly) return;
		this.#syncedAt = now;
		this.sync();
	}

	/** Makes everything that is stored survive a loss of power, whatever the policy. True where the disk says so. Milliseconds. */
	sync(): boolean {
		const isSynced = this.#intake.sync();
		if (!isSynced && this.#intake.discardEmpty()) this.#reader.leave();
		return isSynced;
	}

	/** Everything before `place` is gone for this reason, but for what is in the hands of the sink. */
	#drop(place: Place, reason: DropReason, last?: Last): void {
		const { gone, tail } = this.#shelf;
		const lease = this.#lease;
		// Only files of different histories make events go back while records go on.
		const end: Place = { records: place.records, events: Math.max(place.events, gone.events) };
		let amount = minus(end, gone);
		if (lease !== undefined && !lease.isDropped && end.records > gone.records) {
			lease.isDropped = true;
			amount = minus(amount, amountOf(lease.record));
		}
		this.#dropped[reason] = plus(this.#dropped[reason], amount);
		this.#shelf.advance(end, end.records === tail.records ? this.#end : last);
	}

	/** Lets go of what is gone. */
	#release(): void {
		if (this.#shelf.takeOff(this.#intake.segment)) this.#reader.leave();
		this.#shelf.settle();
	}

	#note(what: string, cause: unknown): OperatingError {
		// A defect of ours is not the disk's.
		if (cause instanceof AssertionError) throw cause;
		this.#faults++;
		const error = new OperatingError("spool_disk", `${what} of the lane ${this.#lane.name}`, {
			cause,
			hint: "check that the disk of orchestrator.state_dir is writable and has room",
		});
		this.#fault = error;
		return error;
	}

	/** Syncs, unless the policy is "never", and closes. What is left is there when it is opened again. Safe twice. */
	[Symbol.dispose](): void {
		if (this.#isClosed) return;
		this.#intake.seal();
		this.#shelf.settle();
		this.#isClosed = true;
		this.#reader[Symbol.dispose]();
		this.#shelf[Symbol.dispose]();
	}
}

function amountOf({ head }: FoundRecord): Amount {
	return { records: 1, events: head.count };
}

function endOf({ number, sequence, run, cursor }: SpoolEnd): SpoolEnd {
	return { number, sequence, run, cursor };
}

function lastOf({ head }: FoundRecord): Last {
	return { number: head.number, sequence: head.lastSequence };
}

function recordOf(head: RecordHead, body: Uint8Array): SpoolRecord {
	const { number, run, count, firstSequence, lastSequence, time } = head;
	const lastCursor = new TextDecoder().decode(body.subarray(0, head.cursorBytes));
	return { number, run, count, firstSequence, lastSequence, lastCursor, time, payload: body.subarray(head.cursorBytes) };
}
