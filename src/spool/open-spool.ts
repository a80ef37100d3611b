import { assert } from "../base/assert.ts";
import { OperatingError } from "../base/errors.ts";
import { encodeToken } from "../base/token.ts";
import type { SpoolFiles } from "../platform/spool-files.ts";
import type { Log } from "../telemetry/log.ts";
import { closing, type FoundSegments, findSegments, findTail, type Segment, type SegmentTail } from "./open-segments.ts";
import { type FoundPosition, type Gone, PositionFile, positionName, readPosition } from "./position.ts";
import type { SpoolLimits } from "./record.ts";
import { readHeader, withoutHoles } from "./scan.ts";
import { isSegmentName, laneBytesMax, laneTag, type Place, type SpoolLane, spoolFormatVersion } from "./segment.ts";
import { Spool } from "./spool.ts";

/** Name of the folder of all spools in the state folder. */
export const spoolFolderName = "spool";

/** What a spool needs of the world. */
export interface SpoolWorld {
	readonly files: SpoolFiles;
	readonly log: Log;
}

/**
 * Opens the spool of a lane in the state folder, or begins it: reads the headers of the segments and the last one to its end, cuts off what a crash left
 * torn there, and removes what is acknowledged. Damage further in front is found and counted when it is come to. Throws OperatingError "spool_newer" where a
 * newer agent wrote it, "spool_foreign" where a file is that of another lane or none at all, and "spool_open" where the disk refuses. The state folder is held by
 * its lock. Blocks; a worker of its own.
 */
export function openSpool(directory: string, lane: SpoolLane, limits: SpoolLimits, world: SpoolWorld): Spool {
	assert(lane.name !== "" && lane.id !== "", "A lane has a name and an id");
	const parent = `${directory}/${spoolFolderName}`;
	const folder = `${parent}/${encodeToken(lane.name)}`;
	const longest = Math.max(...[lane.name, lane.id].map((text) => new TextEncoder().encode(text).length));
	if (longest > laneBytesMax) throw new OperatingError("spool_open", `Open the spool of a lane with a name of ${longest} bytes`);
	try {
		const { files } = world;
		files.makeDirectory(folder);
		for (const path of [directory, parent]) files.syncDirectory(path);
		const found = findSegments(files, folder, lane);
		const [segments, tail] = withTail(world, found.segments, lane);
		const spent = [...found.spent, ...found.segments.filter((segment) => !segments.includes(segment)).map(({ path }) => path)];
		for (const name of found.strangers)
			world.log.warn("A file in the spool is none of its own and is left alone.", { lane: lane.name, file: `${folder}/${name}` });
		const position = openPosition(files, folder, lane, { first: segments[0]?.before ?? tail.place, isEmpty: segments.length === 0 });
		try {
			files.syncDirectory(folder);
			return new Spool(world.files, folder, lane, limits, { ...position, segments, tail, spent });
		} catch (cause) {
			position.file[Symbol.dispose]();
			throw cause;
		}
	} catch (cause) {
		if (cause instanceof OperatingError) throw cause;
		throw new OperatingError("spool_open", `Open the spool of the lane ${lane.name} in ${folder}`, {
			cause,
			hint: "check that the disk of orchestrator.state_dir is writable and has room",
		});
	}
}

/** Segments with the end of the last one found. Those behind the last whole record hold nothing, though their headers say what should stand before them. */
function withTail({ files, log }: SpoolWorld, segments: FoundSegments["segments"], lane: SpoolLane): [Segment[], SegmentTail] {
	const kept = [...segments];
	let place: Place = { records: 0, events: 0 };
	for (let last = kept.at(-1); last !== undefined; last = kept.at(-1)) {
		const tail = findTail(files, last, lane);
		if (tail.place.records > place.records) place = tail.place;
		const torn = last.bytes - tail.bytes;
		if (torn > 0)
			log.info("The end of the spool is torn and is cut off; it was being written as the agent ended.", {
				lane: lane.name,
				file: last.path,
				bytes: torn,
			});
		if (tail.number > 0) {
			last.bytes = tail.bytes;
			return [kept, { ...tail, place }];
		}
		kept.pop();
	}
	return [kept, { bytes: 0, place, number: 0, sequence: 0, run: 0, cursor: "" }];
}

interface OpenPosition {
	readonly file: PositionFile;
	readonly gone: Gone;
}

function openPosition(
	files: SpoolFiles,
	folder: string,
	lane: SpoolLane,
	{ first, isEmpty }: { readonly first: Place; readonly isEmpty: boolean },
): OpenPosition {
	const path = `${folder}/${positionName}`;
	const file = files.open(path);
	try {
		const found = unlessForeign(() => readPosition(withoutHoles(file), laneTag(lane), path), isEmpty);
		const gone = found?.gone ?? { ...first, number: 0, sequence: 0 };
		return { file: new PositionFile(file, laneTag(lane), found, gone), gone };
	} catch (cause) {
		file.close();
		throw cause;
	}
}

/** What a lane before left of an empty spool, and its state with it, tells nothing and keeps nobody. */
function unlessForeign(read: () => FoundPosition | undefined, isEmpty: boolean): FoundPosition | undefined {
	try {
		return read();
	} catch (error) {
		if (isEmpty && error instanceof OperatingError && error.code === "spool_foreign") return undefined;
		throw error;
	}
}

/** Id of the lane that the spool of `name` in the state folder was begun by, as its oldest whole segment says; undefined where there is none. Throws what the system says. */
export function peekSpoolId(directory: string, name: string, files: SpoolFiles): string | undefined {
	const folder = `${directory}/${spoolFolderName}/${encodeToken(name)}`;
	for (const segment of [...(files.list(folder) ?? [])].filter(isSegmentName).sort()) {
		const file = files.read(`${folder}/${segment}`);
		const found = file === undefined ? undefined : closing(file, () => readHeader(withoutHoles(file)));
		if (found?.kind === "whole" && found.header.version <= spoolFormatVersion && found.header.lane.name === name) return found.header.lane.id;
	}
	return undefined;
}

/** The position as a reader sees it who changes nothing; undefined where there is none. Throws as readPosition does. */
export function peekPosition(files: SpoolFiles, folder: string, tag: number): Gone | undefined {
	const path = `${folder}/${positionName}`;
	const file = files.read(path);
	return file === undefined ? undefined : closing(file, () => readPosition(withoutHoles(file), tag, path)?.gone);
}
