import { describeError } from "../base/errors.ts";
import type { SpoolFile, SpoolFiles } from "../platform/spool-files.ts";
import { type Amount, minus, noAmount, plus } from "./account.ts";
import { closing, noBound } from "./open-segments.ts";
import { peekPosition } from "./open-spool.ts";
import { type Gone, positionName, refuseNewer } from "./position.ts";
import { type FoundHeader, findRecord, readHeader, walkSegment, withoutHoles } from "./scan.ts";
import { isSegmentName, laneTag, type Place, placeBehind, type RecordHead, type SpoolLane } from "./segment.ts";

/** From one to another, both included. */
export interface Span {
	readonly first: number;
	readonly last: number;
}

/** Something in a segment that is not as it was written, or something that is missing in front of it. */
export interface Damage {
	/** Byte of the segment at which it begins. */
	readonly at: number;
	/** Bytes that hold nothing that counts. */
	readonly bytes: number;
	/** What was lost with it of what was still to be sent; undefined where nothing behind it tells: a torn tail, or a record that is just being written. */
	readonly lost: Amount | undefined;
}

/** One segment, read to its end. */
export interface SegmentReport {
	/** Name in the folder. */
	readonly file: string;
	readonly bytes: number;
	/** Whole records, and the events in them. */
	readonly records: number;
	readonly events: number;
	/** Numbers of the batches, undefined where there are none. */
	readonly numbers: Span | undefined;
	readonly sequences: Span | undefined;
	/** When they were appended, milliseconds since 1970: the least and the greatest. */
	readonly times: Span | undefined;
	readonly damage: readonly Damage[];
	/** Why it cannot be read at all. */
	readonly problem: string | undefined;
}

/** The spool of one lane. */
export interface SpoolReport {
	readonly folder: string;
	/** Whose it is, by the first segment that says so. */
	readonly lane: SpoolLane | undefined;
	/** What is acknowledged or dropped since the lane began; undefined where that is not known. */
	readonly gone: Gone | undefined;
	/** Whole records that are still to be sent. */
	readonly left: Amount;
	/** Lost of what was still to be sent. */
	readonly lost: Amount;
	readonly segments: readonly SegmentReport[];
	/** Names that are none of ours. */
	readonly strangers: readonly string[];
}

/** The folders in `directory` that are spools of lanes: itself, or those below it or below `spool` in it. In order. Throws what the system says. */
export function findSpools(files: SpoolFiles, directory: string): readonly string[] {
	const isSpool = (folder: string) => namesIn(files, folder).some((name) => isSegmentName(name) || name === positionName);
	if (isSpool(directory)) return [directory];
	return [directory, `${directory}/spool`].flatMap((parent) =>
		namesIn(files, parent)
			.toSorted()
			.map((name) => `${parent}/${name}`)
			.filter(isSpool),
	);
}

function namesIn(files: SpoolFiles, folder: string): readonly string[] {
	try {
		return files.list(folder) ?? [];
	} catch (error) {
		// A file has nothing in it; a folder that may not be read is told.
		if (error instanceof Error && "code" in error && error.code === "ENOTDIR") return [];
		throw error;
	}
}

/**
 * Reads everything in the spool of a lane, and changes nothing: an agent may be writing it meanwhile. What it removes in between is not in the report. Throws what the
 * system says.
 */
export function inspectSpool(files: SpoolFiles, folder: string): SpoolReport {
	const names = (files.list(folder) ?? []).toSorted();
	const opened = names.filter(isSegmentName).flatMap((file): OpenedSegment[] => {
		const found = files.read(`${folder}/${file}`);
		return found === undefined ? [] : [closing(found, () => ({ file, found: readHeader(withoutHoles(found)), bytes: found.size() }))];
	});
	const lane = opened.map(({ found }) => (found.kind === "whole" ? found.header.lane : undefined)).find((each) => each !== undefined);
	const tag = lane === undefined ? undefined : laneTag(lane);
	const gone = tag === undefined ? undefined : goneOf(files, folder, tag);
	const walk: Walk = { tag, expected: gone, left: noAmount, lost: noAmount };
	const segments = opened.flatMap((segment, index): SegmentReport[] => {
		const file = files.read(`${folder}/${segment.file}`);
		return file === undefined ? [] : [closing(file, () => readSegment(withoutHoles(file), segment, boundOf(opened[index + 1]), walk))];
	});
	const strangers = names.filter((name) => !isSegmentName(name) && name !== positionName);
	return { folder, lane, gone, left: walk.left, lost: walk.lost, segments, strangers };
}

interface OpenedSegment {
	readonly file: string;
	readonly found: FoundHeader;
	readonly bytes: number;
}

/** What is carried from segment to segment. */
interface Walk {
	/** The tag of the lane, where a header says whose the spool is. */
	readonly tag: number | undefined;
	/** The place up to which everything is accounted for. */
	expected: Place | undefined;
	left: Amount;
	lost: Amount;
}

function goneOf(files: SpoolFiles, folder: string, tag: number): Gone | undefined {
	try {
		return peekPosition(files, folder, tag);
	} catch {
		// It is of another lane or of a newer agent, as the segments tell; to whom it belongs does not help to read them.
		return undefined;
	}
}

function boundOf(next: OpenedSegment | undefined): Place {
	return next?.found.kind === "whole" ? next.found.header.before : noBound;
}

function problemOf({ file, found }: OpenedSegment, tag: number | undefined): string | undefined {
	if (found.kind === "foreign") return "it has the name of a segment and is none, or its beginning is damaged";
	if (found.kind === "damaged") return tag === undefined ? "its header is damaged, and no other segment says whose it is" : undefined;
	try {
		refuseNewer(found.header.version, file);
	} catch (error) {
		return describeError(error);
	}
	return laneTag(found.header.lane) === tag ? undefined : `it belongs to the lane ${found.header.lane.name} with the id ${found.header.lane.id}`;
}

function readSegment(file: SpoolFile, segment: OpenedSegment, below: Place, walk: Walk): SegmentReport {
	const { tag } = walk;
	const heads = new Totals();
	const damage: Damage[] = [];
	// A foreign beginning may be a damaged one, before records that are whole.
	const stretch = { file, tag: tag ?? 0, end: segment.bytes, below };
	const isHidden = segment.found.kind === "foreign" && tag !== undefined && findRecord(stretch, 0, noAmount) !== undefined;
	const problem = isHidden ? undefined : problemOf(segment, tag);
	const named = { file: segment.file, bytes: segment.bytes };
	if (problem !== undefined || tag === undefined) return { ...named, ...heads.report(), damage, problem };
	const header = segment.found.kind === "whole" ? segment.found.header : undefined;
	let pending: Omit<Damage, "lost"> | undefined;
	const expect = (place: Place, at: number) => {
		walk.expected ??= place;
		const lost = place.records > walk.expected.records ? minus(place, walk.expected) : noAmount;
		walk.lost = plus(walk.lost, lost);
		if (pending !== undefined || lost.records > 0) damage.push({ at: pending?.at ?? at, bytes: pending?.bytes ?? 0, lost });
		pending = undefined;
		if (place.records > walk.expected.records) walk.expected = place;
	};
	if (header !== undefined) expect(header.before, 0);
	for (const part of walkSegment(stretch, header?.bytes ?? 0, header?.before ?? noAmount)) {
		if (part.kind === "damage") {
			pending = { at: part.at, bytes: part.end - part.at };
			continue;
		}
		const { head } = part.record;
		expect(head.before, part.record.at);
		heads.add(head);
		const behind = placeBehind(head);
		if (walk.expected !== undefined && behind.records > walk.expected.records) {
			walk.left = plus(walk.left, { records: 1, events: head.count });
			walk.expected = behind;
		}
	}
	// What stands behind the last record is lost only if what follows says so, and then it is told there.
	if (pending !== undefined) damage.push({ ...pending, lost: undefined });
	return { ...named, ...heads.report(), damage, problem };
}

/** Sums over the heads of a segment. */
class Totals {
	#amount: Amount = noAmount;
	#numbers: Span | undefined;
	#sequences: Span | undefined;
	#times: Span | undefined;

	add(head: RecordHead): void {
		this.#amount = plus(this.#amount, { records: 1, events: head.count });
		this.#numbers = { first: this.#numbers?.first ?? head.number, last: head.number };
		this.#sequences = { first: this.#sequences?.first ?? head.firstSequence, last: head.lastSequence };
		const { first, last } = this.#times ?? { first: head.time, last: head.time };
		this.#times = { first: Math.min(first, head.time), last: Math.max(last, head.time) };
	}

	report(): Pick<SegmentReport, "records" | "events" | "numbers" | "sequences" | "times"> {
		return { ...this.#amount, numbers: this.#numbers, sequences: this.#sequences, times: this.#times };
	}
}
