import { assert } from "../base/assert.ts";

/** Where a lane stands: what was acknowledged last. */
export interface LaneMark {
	/** 0 for none. */
	readonly batch: number;
	/** "" where unknown. */
	readonly cursor: string;
	/** Of the last event; 0 for none. */
	readonly sequence: number;
	/** The run that cut that batch (base/run.ts), where its source cannot be read again. */
	readonly run?: number;
}

/** A batch as it was cut, so that it can be cut the same way again. */
export interface Manifest {
	/** From 1. */
	readonly number: number;
	/** Events in it. */
	readonly count: number;
	readonly firstSequence: number;
	readonly lastSequence: number;
	/** Cursor behind the last event of the batch before; "" where the source began. */
	readonly firstCursor: string;
	/** Cursor behind the last event of this batch; "" for sources without. */
	readonly lastCursor: string;
	/** Hash of the configuration that decided what is in it, such as the filter. */
	readonly configuration: string;
	/** Number of the batch that was acknowledged last; left out where it is the one before. */
	readonly previous?: number;
}

/** The first line of a lane's file. */
export interface LaneHeader {
	readonly version: number;
	readonly lane: string;
	readonly id: string;
}

/** One line of a lane's file. */
export type LaneRecord =
	| { readonly kind: "header"; readonly header: LaneHeader }
	| { readonly kind: "manifest"; readonly manifest: Manifest }
	| { readonly kind: "acknowledged"; readonly mark: LaneMark }
	| { readonly kind: "adopted"; readonly lane: string }
	| { readonly kind: "spool"; readonly id: string };

/** The version of the format that this agent writes. It reads this one and older ones. */
export const laneFormatVersion = 1;

const encoder = new TextEncoder();

/** A record as a line: its CRC, a space, JSON, an end of line. */
export function encodeRecord(record: LaneRecord): Uint8Array {
	const json = JSON.stringify(toJson(record));
	assert(!json.includes("\n"), "JSON is one line");
	return encoder.encode(`${checksum(json)} ${json}\n`);
}

/** The record of a line without its end, or undefined where it is torn, damaged, or of a kind that is not known. */
export function decodeRecord(line: string): LaneRecord | undefined {
	const json = line.slice(9);
	if (line[8] !== " " || line.slice(0, 8) !== checksum(json)) return undefined;
	try {
		const value: unknown = JSON.parse(json);
		return Array.isArray(value) ? fromJson(value) : undefined;
	} catch {
		// The sum is right and the JSON is not: nobody of ours wrote it.
		return undefined;
	}
}

function checksum(text: string): string {
	return Bun.hash.crc32(text).toString(16).padStart(8, "0");
}

function toJson(record: LaneRecord): readonly (string | number)[] {
	switch (record.kind) {
		case "header":
			return ["tapio-lane", record.header.version, record.header.lane, record.header.id];
		case "manifest": {
			const { number, count, firstSequence, lastSequence, firstCursor, lastCursor, configuration, previous } = record.manifest;
			const cut = ["m", number, count, firstSequence, lastSequence, firstCursor, lastCursor, configuration];
			return previous === undefined ? cut : [...cut, previous];
		}
		case "acknowledged": {
			const { batch, sequence, cursor, run = 0 } = record.mark;
			return ["a", batch, sequence, cursor, ...(run > 0 ? [run] : [])];
		}
		case "adopted":
			return ["t", record.lane];
		case "spool":
			return ["s", record.id];
	}
}

function fromJson(value: readonly unknown[]): LaneRecord | undefined {
	const [tag, a, b, c, d, e, f, g, h] = value;
	if (tag === "m" && whole(a) && whole(b) && whole(c) && whole(d) && text(e) && text(f) && text(g)) {
		return {
			kind: "manifest",
			manifest: {
				number: a,
				count: b,
				firstSequence: c,
				lastSequence: d,
				firstCursor: e,
				lastCursor: f,
				configuration: g,
				...(whole(h) ? { previous: h } : {}),
			},
		};
	}
	if (tag === "a" && whole(a) && whole(b) && text(c)) {
		return { kind: "acknowledged", mark: { batch: a, sequence: b, cursor: c, ...(whole(d) ? { run: d } : {}) } };
	}
	if (tag === "t" && text(a)) return { kind: "adopted", lane: a };
	if (tag === "s" && text(a)) return { kind: "spool", id: a };
	// A newer version may have more fields behind these: whoever reads looks at the version first.
	if (tag === "tapio-lane" && whole(a) && text(b) && text(c)) return { kind: "header", header: { version: a, lane: b, id: c } };
	return undefined;
}

function whole(value: unknown): value is number {
	return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function text(value: unknown): value is string {
	return typeof value === "string";
}
