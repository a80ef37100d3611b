import { OperatingError } from "../base/errors.ts";
import type { SpoolFile, SpoolFiles } from "../platform/spool-files.ts";
import { foreignLane, positionName, refuseNewer } from "./position.ts";
import { cursorOf, findRecord, readHeader, walkSegment, withoutHoles } from "./scan.ts";
import { isSegmentName, laneTag, type Place, placeBehind, type SpoolLane } from "./segment.ts";

/** Everything, and more than was ever stored. */
export const noBound: Place = { records: Number.MAX_SAFE_INTEGER, events: Number.MAX_SAFE_INTEGER };

/** One segment, as the store keeps it in mind: a hundred bytes or so, whatever it holds. */
export interface Segment {
	readonly path: string;
	/** What was stored before its first record. */
	readonly before: Place;
	/** Bytes of the header; 0 where it is damaged. */
	readonly headerBytes: number;
	/** Bytes that count. */
	bytes: number;
}

/** The segments of a lane as they were found. */
export interface FoundSegments {
	/** In order: each one begins behind the one before. */
	readonly segments: readonly Segment[];
	/** Files that hold nothing that counts: empty, torn, or of records that were refused. */
	readonly spent: readonly string[];
	/** Names that are none of ours. */
	readonly strangers: readonly string[];
}

/**
 * Finds the segments in the folder of a lane by their headers; no more than a few reads for each. Changes nothing. Throws OperatingError "spool_newer" and
 * "spool_foreign" where a file is not for this lane to read, and what the system says.
 */
export function findSegments(files: SpoolFiles, folder: string, lane: SpoolLane): FoundSegments {
	const names = [...(files.list(folder) ?? [])].sort();
	const found: Segment[] = [];
	const spent: string[] = [];
	for (const name of names.filter(isSegmentName)) {
		const path = `${folder}/${name}`;
		const file = files.read(path);
		if (file === undefined) continue;
		const segment = closing(file, () => openSegment(withoutHoles(file), path, lane));
		if (segment === undefined) spent.push(path);
		else found.push(segment);
	}
	// What a later segment says was stored before it voids what earlier ones hold beyond.
	const segments: Segment[] = [];
	for (const segment of found.toReversed()) {
		const next = segments[0];
		if (next === undefined || isBefore(segment.before, next.before)) segments.unshift(segment);
		else spent.push(segment.path);
	}
	return { segments, spent, strangers: names.filter((name) => !isSegmentName(name) && name !== positionName) };
}

/** Undefined where nothing in it is whole, but what there is began as ours. */
function openSegment(file: SpoolFile, path: string, lane: SpoolLane): Segment | undefined {
	const bytes = file.size();
	const found = readHeader(file);
	if (found.kind === "whole") {
		refuseNewer(found.header.version, path);
		const { id, name } = found.header.lane;
		if (name !== lane.name) throw foreignLane(path, `the lane ${name}`);
		if (id !== lane.id) throw foreignLane(path);
		return { path, before: found.header.before, headerBytes: found.header.bytes, bytes };
	}
	const first = findRecord({ file, tag: laneTag(lane), end: bytes, below: noBound }, 0, { records: 0, events: 0 });
	if (first !== undefined) return { path, before: first.head.before, headerBytes: 0, bytes };
	if (found.kind === "damaged") return undefined;
	throw new OperatingError("spool_foreign", `The file ${path} has the name of a segment and is none`, {
		hint: "move it away; the spool does not need it",
	});
}

function isBefore(place: Place, next: Place): boolean {
	return place.records < next.records && place.events < next.events;
}

/** Where the whole records of a segment end. */
export interface SegmentTail {
	/** Bytes up to the end of the last whole record, or of the header. */
	readonly bytes: number;
	/** What was stored up to there. */
	readonly place: Place;
	/** Number of the last whole record; 0 where there is none. */
	readonly number: number;
	/** Sequence of its last event. */
	readonly sequence: number;
	/** The run that cut it; 0 where there is none. */
	readonly run: number;
	/** Cursor behind its last event. */
	readonly cursor: string;
}

/** Reads the last segment to its end, every byte of it. Throws what the system says. */
export function findTail(files: SpoolFiles, segment: Segment, lane: SpoolLane): SegmentTail {
	let tail: SegmentTail = { bytes: segment.headerBytes, place: segment.before, number: 0, sequence: 0, run: 0, cursor: "" };
	const file = files.read(segment.path);
	if (file === undefined) return tail;
	return closing(file, () => {
		const stretch = { file: withoutHoles(file), tag: laneTag(lane), end: segment.bytes, below: noBound };
		for (const part of walkSegment(stretch, segment.headerBytes, segment.before)) {
			if (part.kind !== "record") continue;
			const { head, end } = part.record;
			const cursor = cursorOf(stretch.file, part.record);
			tail = { bytes: end, place: placeBehind(head), number: head.number, sequence: head.lastSequence, run: head.run, cursor };
		}
		return tail;
	});
}

/** Does `work`, and closes the file whatever becomes of it. */
export function closing<T>(file: SpoolFile, work: () => T): T {
	try {
		return work();
	} finally {
		file.close();
	}
}
