/**
 * The payload of a journal record in the ring, little-endian words, then text:
 *
 *   word 0, 1   realtime stamp in microseconds since the epoch, low word first
 *   word 2      priority 0 to 7, or `noPriority`
 *   word 3      offset of the cursor in the payload; word 4 its length
 *   word 5      offset of the unit's name, JSON-escaped without quotes; word 6 its length, 0 where there is none
 *   word 7      offset of the host name, likewise; word 8 its length
 *   word 9      length of the raw entry, a JSON object that starts at `textOffset`
 *   word 10     length of the list of what was altered, a JSON array right behind the raw entry; 0 where nothing was
 *   word 11     not used
 *
 * Cursor, unit and host name are not copied: their offsets point into the raw entry.
 * A gap record has the same head; its raw entry is the JSON object of the gap's attributes, and word 3 and 4 name what stands behind it: the cursor of
 * the first entry behind the gap, with the mark of a position before its entry. A checkpoint record is a head with a cursor and nothing else: it carries a position past entries that
 * the filter passed over.
 */
export const wordRealtimeLow = 0;
export const wordRealtimeHigh = 1;
export const wordPriority = 2;
export const wordCursorOffset = 3;
export const wordCursorLength = 4;
export const wordUnitOffset = 5;
export const wordUnitLength = 6;
export const wordHostOffset = 7;
export const wordHostLength = 8;
export const wordRawLength = 9;
export const wordAlteredLength = 10;

/** Bytes before the text. */
export const textOffset = 48;

/** Word 2 of an entry without a usable priority. */
export const noPriority = 255;

/** Kinds of record, as the ring carries them. */
export const kindEntry = 0;
export const kindGap = 1;
export const kindCheckpoint = 2;
