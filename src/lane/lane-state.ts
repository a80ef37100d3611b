/*
 * The state of a lane on disk.
 *
 * One file per lane, `<state folder>/lanes/<name>.lane`, mode 0600, lines of UTF-8. A line is the CRC-32 (IEEE) of what follows it as eight
 * hexadecimal digits, a space, and a JSON array. The first line is the header, the others follow in the order in which things happened; the last one of
 * a kind counts.
 *
 *   ["tapio-lane", 1, lane, id]    the header: version of the format, name of the lane, its random id
 *   ["m", number, count, first sequence, last sequence, first cursor, last cursor, configuration, previous]
 *                                  a manifest, written before its batch is sent: how batch `number` is cut, and which one was acknowledged last, where that
 *                                  is not the number before
 *   ["a", number, sequence, cursor, run]
 *                                  batch `number` is acknowledged; sequence and cursor are those behind its last event, and the run is the one that cut it,
 *                                  where its source cannot be read again: another one than the manifest's is that of an agent on a copy of this state
 *   ["t", lane]                    this lane took over the place of another one, before its first batch
 *   ["s", id]                      its spool was begun by the lane `id`, whose state was lost, and is this one's now
 *
 * A manifest behind what is acknowledged is pending: its batch may or may not have arrived, and is to be cut the same way again. As one batch is in flight at
 * a time, a manifest says as well that everything before it is acknowledged, should the line that said so be lost.
 *
 * What survives what. The end of the process at any instant, kill -9 included: every line that was written whole. A line that was being written is torn; its
 * sum does not fit, and it is cut off when the file is opened next. A loss of power: the header, the first manifest (from which on the lane is no longer
 * fresh), and everything up to the last compaction, for these are synced. Lines behind them, written in the last half minute or so, may be lost or torn. That is
 * harmless: the stream is asked where the lane stands, and what it says repairs the mark; a manifest that was lost means that its batch is cut anew, which
 * no one can tell as long as it was not stored; where it arrives late, the lane goes on behind it. No line is synced on its own, for that would cost
 * milliseconds per batch on the thread that publishes. A file in which nothing is acknowledged is written again when it is opened: whoever wrote it may have
 * ended before it was synced.
 *
 * A damaged line between whole ones is skipped. A damaged header takes the identity with it: the file is set aside as `<name>.lane.damaged`, and the lane
 * begins fresh, with a new id. A version above ours is refused, for nobody knows what it promised.
 *
 * The file is rewritten when it has grown to 1 MiB: header, mark, pending manifest, by a new file that is synced and renamed over the old one.
 */
import { assert, never } from "../base/assert.ts";
import { OperatingError } from "../base/errors.ts";
import { encodeToken } from "../base/token.ts";
import { MiB } from "../base/units.ts";
import type { AppendFile, StateFiles } from "../platform/state-files.ts";
import type { Log } from "../telemetry/log.ts";
import { decodeRecord, encodeRecord, type LaneMark, type LaneRecord, laneFormatVersion, type Manifest } from "./record.ts";

/** Bytes of a lane's file. Beyond it the file is rewritten with what counts. */
export const laneFileBytesMax = MiB;

/** Bytes of one record: two cursors of 16 KiB are beyond all sources. Beyond it the manifest is refused. */
export const laneRecordBytesMax = 64 * 1024;

assert(laneRecordBytesMax * 4 < laneFileBytesMax, "A rewritten file is far from being rewritten again");

/** What the state of lanes needs of the world. */
export interface LaneWorld {
	readonly files: StateFiles;
	readonly log: Log;
	/** A new lane id: 32 random hexadecimal digits. */
	readonly randomId: () => string;
}

/** Where a lane stands by its own state, as a sink wants to hear it (SinkLane.open). */
export interface LaneBeginning extends LaneMark {
	/** No batch of this lane was ever to be sent. */
	readonly fresh: boolean;
	/** Lane whose place it took over, while nothing of it is acknowledged. */
	readonly adopted?: string;
}

/** An event that is delivered, as a manifest tells it. */
export interface SettledEvent {
	readonly configuration: string;
	readonly sequence: number;
}

/** What a manifest says of the events that are delivered: its own, or all before them where it is not acknowledged. */
export function settledBy(manifest: Manifest, mark: LaneMark): SettledEvent {
	const { configuration, firstSequence, lastSequence } = manifest;
	return { configuration, sequence: isSettled(manifest, mark) ? lastSequence : firstSequence - 1 };
}

/** True where the batch of a manifest is acknowledged, and not another one of its number. */
function isSettled({ number, configuration }: Manifest, mark: LaneMark): boolean {
	return number <= mark.batch && (!hasRun(mark) || String(mark.run) === configuration);
}

/** False for sources that can be read again, whose batches name no run. */
function hasRun({ run = 0 }: LaneMark): boolean {
	return run > 0;
}

/**
 * The state of one lane, open. One writer: the thread that publishes. Every write is one small append; `append` and `acknowledge` cost microseconds, but
 * for the first manifest and a rewriting once per mebibyte, which cost a sync each. Throws OperatingError "state_write" where the disk refuses; the state is
 * then as before, and the call may be made again.
 */
export interface LaneState extends Disposable {
	/** Random, made with the file, 32 hexadecimal digits. */
	readonly id: string;
	readonly acknowledged: LaneMark;
	/** The batch next to what is acknowledged, where it was cut before. Read it after the sink's word was noted. */
	readonly pending: Manifest | undefined;
	/** The newest event that is known here to be delivered: sequence, and the `configuration` of the manifest that tells it. Undefined before the first manifest. */
	readonly settled: SettledEvent | undefined;
	/** What `SinkLane.open` is told. */
	readonly beginning: LaneBeginning;
	/** The lane that its spool was begun by: itself, or one whose state was lost. */
	readonly spool: string;
	/** Notes how a batch is cut. Before it is sent. */
	append(manifest: Manifest): void;
	/** Notes where the lane stands by the sink's word: normally at the pending batch. */
	acknowledge(mark: LaneMark): void;
	/** Notes that this lane goes on in the place of another one. Before its first manifest. */
	adopt(lane: string): void;
	/** Notes that the spool of a lane whose state was lost is this one's. Synced. While it is fresh. */
	adoptSpool(id: string): void;
}

/**
 * Opens the state of the lane `name` in the state folder, or begins it. Throws OperatingError "state_newer" where a newer agent wrote it, "state_foreign" where the
 * file is that of another lane, and "state_open" where the disk refuses. The folder is held by its lock.
 */
export function openLaneState(directory: string, name: string, world: LaneWorld): LaneState {
	assert(name !== "", "A lane has a name");
	const folder = `${directory}/lanes`;
	const path = `${folder}/${encodeToken(name)}.lane`;
	try {
		world.files.makeDirectory(folder);
		const content = world.files.read(path);
		const found = content === undefined ? undefined : readFile(content, name, path);
		if (found !== undefined) return new FileLaneState(path, world, found);
		if (content !== undefined) {
			world.files.rename(path, `${path}.damaged`);
			world.log.error("The state of a lane is damaged and was set aside; the lane begins anew.", { lane: name, file: `${path}.damaged` });
		}
		const begun: Found = {
			id: world.randomId(),
			lane: name,
			mark: nothing,
			manifest: undefined,
			adopted: undefined,
			spool: undefined,
			length: 0,
			whole: false,
		};
		return new FileLaneState(path, world, begun);
	} catch (cause) {
		if (cause instanceof OperatingError) throw cause;
		throw new OperatingError("state_open", `Open the state of the lane ${name} in ${folder}`, {
			cause,
			hint: "check that the disk is writable and has room",
		});
	}
}

const nothing: LaneMark = { batch: 0, cursor: "", sequence: 0 };

/** What a file says. */
interface Found {
	readonly id: string;
	readonly lane: string;
	readonly mark: LaneMark;
	readonly manifest: Manifest | undefined;
	readonly adopted: string | undefined;
	readonly spool: string | undefined;
	readonly length: number;
	/** False where the file is to be written anew before anything is appended: it is new, damaged, or nothing in it is acknowledged. */
	readonly whole: boolean;
}

/** Undefined where the header is damaged. */
function readFile(content: Uint8Array, name: string, path: string): Found | undefined {
	const text = new TextDecoder().decode(content);
	const lines = text.split("\n");
	// What stands behind the last end of line is the torn tail, or nothing.
	const tail = lines.pop();
	const first = decodeRecord(lines[0] ?? "");
	if (first?.kind !== "header") return undefined;
	const { version, lane, id } = first.header;
	if (version > laneFormatVersion) {
		throw new OperatingError(
			"state_newer",
			`The state in ${path} was written by a newer agent (format ${version}, this one knows ${laneFormatVersion})`,
			{
				hint: "run the newer agent, or remove the file and accept that the lane begins anew",
			},
		);
	}
	if (lane !== name)
		throw new OperatingError("state_foreign", `The state in ${path} belongs to the lane ${lane}`, { hint: "put the file back where it came from" });
	let mark = nothing;
	let manifest: Manifest | undefined;
	let adopted: string | undefined;
	let spool: string | undefined;
	let damaged = tail !== "";
	for (const line of lines.slice(1)) {
		const record = decodeRecord(line);
		if (record?.kind === "manifest") {
			manifest = record.manifest;
			mark = markBefore(manifest, mark);
		} else if (record?.kind === "acknowledged") mark = record.mark;
		else if (record?.kind === "adopted") adopted = record.lane;
		else if (record?.kind === "spool") spool = record.id;
		else damaged = true;
	}
	// While nothing is acknowledged, the process may have ended before it synced what it wrote, be it the name or the first manifest: written again, both are safe.
	const isBegun = mark.batch > 0;
	return { id, lane, mark, manifest, adopted, spool, length: content.length, whole: !damaged && isBegun };
}

function isSameMark(one: LaneMark, other: LaneMark): boolean {
	return one.batch === other.batch && one.cursor === other.cursor && one.sequence === other.sequence && (one.run ?? 0) === (other.run ?? 0);
}

/** The mark that a manifest implies. */
function markBefore(manifest: Manifest, mark: LaneMark): LaneMark {
	const batch = manifest.previous ?? manifest.number - 1;
	if (batch <= mark.batch) return mark;
	return { batch, cursor: manifest.firstCursor, sequence: manifest.firstSequence - 1 };
}

class FileLaneState implements LaneState {
	readonly id: string;
	readonly #path: string;
	readonly #lane: string;
	readonly #world: LaneWorld;
	#mark: LaneMark;
	#manifest: Manifest | undefined;
	#adopted: string | undefined;
	#spool: string | undefined;
	#file: AppendFile | undefined;
	/** Bytes of whole lines. */
	#length: number;
	/** Part of a line may stand behind `#length`. */
	#torn = false;
	#closed = false;

	constructor(path: string, world: LaneWorld, found: Found) {
		this.id = found.id;
		this.#path = path;
		this.#lane = found.lane;
		this.#world = world;
		this.#mark = found.mark;
		this.#manifest = found.manifest;
		this.#adopted = found.adopted;
		this.#spool = found.spool;
		this.#length = found.length;
		if (found.whole) this.#file = world.files.append(path);
		else this.#rewrite();
	}

	get acknowledged(): LaneMark {
		return this.#mark;
	}

	get pending(): Manifest | undefined {
		const manifest = this.#manifest;
		if (manifest === undefined || isSettled(manifest, this.#mark)) return undefined;
		const isNext = manifest.number === this.#mark.batch + 1;
		return isNext || manifest.previous !== undefined || hasRun(this.#mark) ? manifest : undefined;
	}

	get settled(): SettledEvent | undefined {
		return this.#manifest === undefined ? undefined : settledBy(this.#manifest, this.#mark);
	}

	get beginning(): LaneBeginning {
		const fresh = this.#manifest === undefined && this.#mark.batch === 0;
		const adopted = this.#mark.batch === 0 ? this.#adopted : undefined;
		return { ...this.#mark, fresh, ...(adopted === undefined ? {} : { adopted }) };
	}

	get spool(): string {
		return this.#spool ?? this.id;
	}

	append(manifest: Manifest): void {
		assert(manifest.number > this.#mark.batch, "A manifest is behind what is acknowledged");
		assert(manifest.count > 0, "A batch holds events");
		assert(manifest.firstSequence > 0 && manifest.lastSequence >= manifest.firstSequence, "Sequences begin with 1");
		this.#write({ kind: "manifest", manifest }, this.beginning.fresh);
		this.#manifest = manifest;
		this.#mark = markBefore(manifest, this.#mark);
	}

	acknowledge(mark: LaneMark): void {
		// Behind a write that failed it is written all the same: whoever hears nothing takes the disk for well again.
		const isWell = this.#closed || (this.#file !== undefined && !this.#torn);
		if (isWell && isSameMark(mark, this.#mark)) return;
		this.#write({ kind: "acknowledged", mark }, false);
		this.#mark = mark;
	}

	adopt(lane: string): void {
		assert(this.#mark.batch === 0, "Only a lane of which nothing is delivered takes over a place");
		this.#write({ kind: "adopted", lane }, true);
		this.#adopted = lane;
	}

	adoptSpool(id: string): void {
		assert(this.beginning.fresh, "A spool is taken over before the first batch");
		this.#write({ kind: "spool", id }, true);
		this.#spool = id;
	}

	[Symbol.dispose](): void {
		this.#closed = true;
		this.#file?.close();
		this.#file = undefined;
	}

	#write(record: LaneRecord, sync: boolean): void {
		assert(!this.#closed, "The state is open");
		const line = encodeRecord(record);
		assert(line.length <= laneRecordBytesMax, "A record is small");
		try {
			if (this.#file === undefined || this.#length + line.length > laneFileBytesMax) this.#rewrite();
			const file = this.#file;
			assert(file !== undefined, "A rewritten file is open");
			if (this.#torn) file.truncate(this.#length);
			this.#torn = true;
			for (let written = 0; written < line.length; ) {
				const count = file.write(line.subarray(written));
				if (never(count <= 0, "A write that does not fail writes something")) throw new OperatingError("state_write", "The disk takes nothing");
				written += count;
			}
			if (sync) file.sync();
			this.#torn = false;
			this.#length += line.length;
		} catch (cause) {
			throw new OperatingError("state_write", `Write the state of the lane ${this.#lane}`, {
				cause,
				hint: "check that the disk of orchestrator.state_dir is writable and has room",
			});
		}
	}

	/** Puts what counts into a new file. Nothing is lost where it fails. */
	#rewrite(): void {
		const records: LaneRecord[] = [{ kind: "header", header: { version: laneFormatVersion, lane: this.#lane, id: this.id } }];
		if (this.#adopted !== undefined && this.#mark.batch === 0) records.push({ kind: "adopted", lane: this.#adopted });
		if (this.#spool !== undefined) records.push({ kind: "spool", id: this.#spool });
		if (this.#mark !== nothing) records.push({ kind: "acknowledged", mark: this.#mark });
		if (this.#manifest !== undefined) records.push({ kind: "manifest", manifest: this.#manifest });
		const content = Buffer.concat(records.map(encodeRecord));
		this.#file?.close();
		this.#file = undefined;
		this.#world.files.replace(this.#path, content);
		this.#file = this.#world.files.append(this.#path);
		this.#length = content.length;
		this.#torn = false;
	}
}
