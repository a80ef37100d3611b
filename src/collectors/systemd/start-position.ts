import type { Journal } from "../../platform/ffi/libsystemd.ts";
import type { JournalStart } from "./config.ts";
import { parseCursor } from "./cursor-point.ts";
import { filterByUnits } from "./unit-filter.ts";

/** How reading goes on after {@link seekStart}. */
export interface Start {
	/** True where the journal stands on the first entry to read already; else `next` leads to it. */
	readonly onFirst: boolean;
	/** Position of the entry that was read last or passed over as older, to find losses from there; undefined where there is none. */
	readonly behind: string | undefined;
	/** True where the saved position is gone from the journal. */
	readonly positionLost: boolean;
	/** True where it is that of another journal, and everything in this one is older: reading goes on behind all of it. */
	readonly isForeign: boolean;
}

/** A position as it is saved. */
export interface Position {
	readonly cursor: string;
	/** Reading goes on with the entry of the cursor itself: only the gap before it was delivered. */
	readonly isBefore: boolean;
}

/** Ends the position of a gap, which stands before the entry that it names: a cursor never ends so. */
export const beforeMark = "@";

/** Reads a saved position; undefined for "". */
export function parsePosition(text: string): Position | undefined {
	if (text === "") return undefined;
	const isBefore = text.endsWith(beforeMark);
	return { cursor: isBefore ? text.slice(0, -beforeMark.length) : text, isBefore };
}

/**
 * Positions a journal without filter, then sets the filter: the other way round libsystemd skips entries that come later
 * where nothing matches yet. `position` wins over `start`; `bootId` is 32 hexadecimal digits.
 */
export function seekStart(
	journal: Journal,
	readCursor: () => string,
	options: { position: Position | undefined; start: JournalStart; bootId: string; units: readonly string[] },
): Start {
	const { position, start, bootId, units } = options;
	if (position !== undefined && journal.seekCursor(position.cursor)) return resume(journal, readCursor, position, units);
	const behind = typeof start === "object" ? seekTime(journal, start.realtime) : seekNamed(journal, readCursor, start, bootId);
	filterByUnits(journal, units);
	return { onFirst: false, behind, positionLost: position !== undefined, isForeign: false };
}

function resume(journal: Journal, readCursor: () => string, position: Position, units: readonly string[]): Start {
	const behind = position.isBefore ? position.cursor + beforeMark : position.cursor;
	const found = journal.next() > 0;
	const isThere = found && journal.testCursor(position.cursor);
	if (isThere && !position.isBefore) {
		filterByUnits(journal, units);
		return { onFirst: false, behind, positionLost: false, isForeign: false };
	}
	if (!found || units.length === 0) {
		const isForeign = !found && isOfAnotherJournal(journal, readCursor, position.cursor);
		filterByUnits(journal, units);
		return { onFirst: found, behind, positionLost: !isThere, isForeign };
	}
	// Under a filter the entry we stand on may not match: come back to it with the filter set.
	const landed = readCursor();
	filterByUnits(journal, units);
	journal.seekCursor(landed);
	return { onFirst: false, behind, positionLost: !isThere, isForeign: false };
}

/** True where the last entry was numbered by somebody else than the one of the cursor. Leaves the journal behind the cursor. */
function isOfAnotherJournal(journal: Journal, readCursor: () => string, cursor: string): boolean {
	journal.seekTail();
	const last = journal.previous() > 0 ? parseCursor(readCursor()) : undefined;
	journal.seekCursor(cursor);
	return last !== undefined && last.id !== parseCursor(cursor)?.id;
}

function seekTime(journal: Journal, milliseconds: number): undefined {
	journal.seekRealtime(BigInt(Math.round(milliseconds)) * 1000n);
	return undefined;
}

function seekNamed(journal: Journal, readCursor: () => string, start: "cursor" | "head" | "tail", bootId: string): string | undefined {
	if (start === "head") {
		journal.seekHead();
		return undefined;
	}
	if (start === "cursor") {
		journal.addMatch(`_BOOT_ID=${bootId}`);
		journal.seekHead();
		const first = journal.next() > 0 ? readCursor() : undefined;
		journal.flushMatches();
		if (first !== undefined) {
			journal.seekCursor(first);
			return undefined;
		}
	}
	journal.seekTail();
	if (journal.previous() > 0) return readCursor();
	journal.seekHead();
	return undefined;
}
