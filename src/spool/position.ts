import { OperatingError } from "../base/errors.ts";
import type { SpoolFile } from "../platform/spool-files.ts";
import { readUpTo, writeAll } from "./scan.ts";
import { checksum, getWhole, type Place, setWhole, spoolFormatVersion } from "./segment.ts";

/** Name of the file that holds the position, in the folder of a lane. */
export const positionName = "position";

/** What is gone in front of a spool. */
export interface Gone extends Place {
	/** Number of the last record gone, or of an earlier one where that is not known; 0 for none. */
	readonly number: number;
	/** Sequence of its last event. */
	readonly sequence: number;
}

const slotBytes = 48;
/** Where the two slots begin: in pages of their own, so that no write touches both. */
const slots = [0, 4096] as const;
const magic = 0x534f5054; // "TPOS"

/** What a position file says. `slot` is the one that says it. */
export interface FoundPosition {
	readonly gone: Gone;
	readonly slot: 0 | 1;
}

/**
 * The position in a file, or undefined where neither slot is whole. Throws OperatingError "spool_newer" and "spool_foreign" where it is not for this lane to read,
 * and what the system says.
 */
export function readPosition(file: SpoolFile, tag: number, path: string): FoundPosition | undefined {
	const read = ([0, 1] as const).map((slot) => ({ slot, gone: decodeSlot(readUpTo(file, slotBytes, slots[slot]), tag, path) }));
	const found = read.flatMap(({ slot, gone }) => (gone === undefined || gone === "foreign" ? [] : [{ slot, gone }]));
	// What a lane before wrote, and this one overwrote, comes back with a loss of power: one slot is always this one's.
	if (found.length === 0 && read.some(({ gone }) => gone === "foreign")) throw foreignLane(path);
	return found.reduce<FoundPosition | undefined>(
		(best, each) => (best !== undefined && best.gone.records >= each.gone.records ? best : each),
		undefined,
	);
}

/** The position file of an open spool. One writer. */
export class PositionFile implements Disposable {
	readonly #file: SpoolFile;
	readonly #tag: number;
	/** The slot that is written. The other one holds what was synced last. */
	#slot: 0 | 1;
	#isClosed = false;

	/**
	 * Takes over the file; `gone` is where it begins if nothing is `found`. Both slots are written here, so that a full disk does not keep it from writing later,
	 * and one of them is synced. Throws what the system says.
	 */
	constructor(file: SpoolFile, tag: number, found: FoundPosition | undefined, gone: Gone) {
		this.#file = file;
		this.#tag = tag;
		this.#slot = found?.slot ?? 0;
		if (found === undefined) this.save(gone);
		this.sync();
		this.save(found?.gone ?? gone);
	}

	/** Writes what is gone. Survives the end of the process, not a loss of power. */
	save(gone: Gone): void {
		writeAll(this.#file, encodeSlot(gone, this.#tag), slots[this.#slot]);
	}

	/** Makes what was saved last survive a loss of power. Milliseconds. */
	sync(): void {
		this.#file.sync();
		this.#slot = other(this.#slot);
	}

	[Symbol.dispose](): void {
		if (this.#isClosed) return;
		this.#isClosed = true;
		this.#file.close();
	}
}

function other(slot: 0 | 1): 0 | 1 {
	return slot === 0 ? 1 : 0;
}

function encodeSlot(gone: Gone, tag: number): Uint8Array {
	const bytes = new Uint8Array(slotBytes);
	const view = new DataView(bytes.buffer);
	view.setUint32(0, magic, true);
	view.setUint32(8, spoolFormatVersion, true);
	view.setUint32(12, tag, true);
	setWhole(view, 16, gone.records);
	setWhole(view, 24, gone.events);
	setWhole(view, 32, gone.number);
	setWhole(view, 40, gone.sequence);
	view.setUint32(4, checksum(bytes.subarray(8)), true);
	return bytes;
}

function decodeSlot(bytes: Uint8Array, tag: number, path: string): Gone | "foreign" | undefined {
	if (bytes.length < slotBytes) return undefined;
	const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
	if (view.getUint32(0, true) !== magic || view.getUint32(4, true) !== checksum(bytes.subarray(8))) return undefined;
	refuseNewer(view.getUint32(8, true), path);
	if (view.getUint32(12, true) !== tag) return "foreign";
	return { records: getWhole(view, 16), events: getWhole(view, 24), number: getWhole(view, 32), sequence: getWhole(view, 40) };
}

/** Throws OperatingError "spool_newer" for a version that this agent does not know. */
export function refuseNewer(version: number, path: string): void {
	if (version <= spoolFormatVersion) return;
	throw new OperatingError(
		"spool_newer",
		`The spool in ${path} was written by a newer agent (format ${version}, this one knows ${spoolFormatVersion})`,
		{
			hint: "run the newer agent, or move the file away and accept that its events are not sent",
		},
	);
}

/** OperatingError "spool_foreign" for what another lane wrote. */
export function foreignLane(path: string, lane = "another lane, or the same one before its state was lost"): OperatingError {
	return new OperatingError("spool_foreign", `The spool in ${path} belongs to ${lane}`, {
		hint: "put the file back where it came from, or move it away and accept that its events are not sent",
	});
}
