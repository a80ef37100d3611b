import { dlopen, FFIType, type Pointer } from "bun:ffi";
import { assert } from "../../base/assert.ts";
import { OperatingError } from "../../base/errors.ts";
import { cString, describeErrno, libc } from "./libc.ts";
import { Memory } from "./memory.ts";

const { i32, u64, ptr, void: none } = FFIType;
// By its name: dlopen refuses the number that FFIType has for it.
const buffer = "buffer";

const symbols = {
	sd_journal_open: { args: [ptr, i32], returns: i32 },
	sd_journal_open_directory: { args: [ptr, buffer, i32], returns: i32 },
	sd_journal_close: { args: [ptr], returns: none },
	sd_journal_set_data_threshold: { args: [ptr, u64], returns: i32 },
	sd_journal_seek_head: { args: [ptr], returns: i32 },
	sd_journal_seek_tail: { args: [ptr], returns: i32 },
	sd_journal_seek_cursor: { args: [ptr, buffer], returns: i32 },
	sd_journal_seek_realtime_usec: { args: [ptr, u64], returns: i32 },
	sd_journal_next: { args: [ptr], returns: i32 },
	sd_journal_previous: { args: [ptr], returns: i32 },
	sd_journal_test_cursor: { args: [ptr, buffer], returns: i32 },
	sd_journal_get_cursor: { args: [ptr, ptr], returns: i32 },
	sd_journal_restart_data: { args: [ptr], returns: none },
	sd_journal_enumerate_available_data: { args: [ptr, ptr, ptr], returns: i32 },
	sd_journal_add_match: { args: [ptr, buffer, u64], returns: i32 },
	sd_journal_add_disjunction: { args: [ptr], returns: i32 },
	sd_journal_add_conjunction: { args: [ptr], returns: i32 },
	sd_journal_flush_matches: { args: [ptr], returns: none },
	sd_journal_process: { args: [ptr], returns: i32 },
	sd_journal_get_fd: { args: [ptr], returns: i32 },
} as const;

function openLibrary(name: string) {
	try {
		return dlopen(name, symbols).symbols;
	} catch (cause) {
		throw new OperatingError("libsystemd_missing", `Open ${name}`, {
			cause,
			hint: "install libsystemd 246 or newer (package libsystemd0 or systemd-libs), or switch the systemd collector off",
		});
	}
}
let library: ReturnType<typeof openLibrary> | undefined;

/** The name under which every distribution ships libsystemd. */
const libraryName = "libsystemd.so.0";

/** Opens libsystemd, once. Throws OperatingError "libsystemd_missing". */
export function loadLibsystemd(name = libraryName): void {
	library ??= openLibrary(name);
}

/** Only journals of this machine (sd-journal.h, SD_JOURNAL_LOCAL_ONLY). */
const localOnly = 1;

// Where the out-parameters stand in the memory that a Journal hands to C.
const outHandle = 0;
const outData = 8;
const outLength = 16;
const outCursor = 24;
const outBytes = 32;

/** Most bytes of a cursor. systemd's own are below 180. */
export const cursorBytesMax = 256;

/** Entry cannot be read: the file is damaged there, or was removed under the reader. */
const skippable = new Set([-74 /* EBADMSG */, -99 /* EADDRNOTAVAIL */, -2 /* ENOENT */, -5 /* EIO */, -71 /* EPROTO */]);

/**
 * An open journal, positioned by `seek` calls and moved by `next`. One thread.
 * A truncated file raises SIGBUS in any of these calls: use it only in a process that may die.
 */
export class Journal implements Disposable {
	readonly #out = Memory.allocate(outBytes);
	readonly #outAt = this.#out.addressOf(0);
	readonly #words = this.#out.words;
	readonly #api: NonNullable<typeof library>;
	#handle: Pointer | null;

	/** Opens the journal of this machine (path "") or of one directory. Throws OperatingError "libsystemd_missing" or "journal_open". */
	constructor(path: string) {
		loadLibsystemd();
		assert(library !== undefined, "libsystemd is open");
		this.#api = library;
		const at = (this.#outAt + outHandle) as Pointer;
		const result = path === "" ? this.#api.sd_journal_open(at, localOnly) : this.#api.sd_journal_open_directory(at, cString(path), 0);
		if (result < 0) {
			throw new OperatingError("journal_open", `Open the journal ${path === "" ? "of this machine" : path}: ${describeErrno(-result)}`, {
				errno: -result,
				hint: journalHint(-result),
			});
		}
		this.#handle = this.#pointerAt(outHandle) as Pointer;
		// Every byte of a field: the limit on what is kept is the collector's own.
		this.#check(this.#api.sd_journal_set_data_threshold(this.#handle, 0), "set the data threshold");
		// Creating the watch makes process() see new and rotated files.
		this.#check(this.#api.sd_journal_get_fd(this.#handle), "watch the journal");
	}

	/** Bytes of the current field, after {@link nextField}. */
	get fieldLength(): number {
		return this.#words[outLength / 4] ?? 0;
	}

	/** Equal for two fields whose bytes stand at the same place: a key for caches, to be verified by {@link fieldEquals}. */
	get fieldKey(): number {
		return this.#words[outData / 4] ?? 0;
	}

	get #field(): number {
		return (this.#words[outData / 4] ?? 0) + (this.#words[outData / 4 + 1] ?? 0) * 2 ** 32;
	}

	/** Before the first entry. */
	seekHead(): void {
		this.#check(this.#api.sd_journal_seek_head(this.#open()), "seek to the head");
	}

	/** Behind the last entry; go on with `previous`. */
	seekTail(): void {
		this.#check(this.#api.sd_journal_seek_tail(this.#open()), "seek to the tail");
	}

	/** Before the first entry at or after a time in microseconds since the epoch. */
	seekRealtime(microseconds: bigint): void {
		this.#check(this.#api.sd_journal_seek_realtime_usec(this.#open(), microseconds), "seek to a time");
	}

	/** To the entry of a cursor, or, where it is gone, somewhere near: go on with `next` and {@link testCursor}. False where the text is no cursor. */
	seekCursor(cursor: string): boolean {
		return this.#api.sd_journal_seek_cursor(this.#open(), cString(cursor)) >= 0;
	}

	/** True where the current entry is that of the cursor. */
	testCursor(cursor: string): boolean {
		return this.#api.sd_journal_test_cursor(this.#open(), cString(cursor)) > 0;
	}

	/** To the next entry: 1, or 0 at the end, or a negative errno where the entry cannot be read; see {@link isSkippable}. */
	next(): number {
		return this.#api.sd_journal_next(this.#open());
	}

	/** To the previous entry; as {@link next}. */
	previous(): number {
		return this.#api.sd_journal_previous(this.#open());
	}

	/** Takes note of appended, new and removed files; true where there were some. Call it when `next` found nothing. Throws OperatingError "journal". */
	process(): boolean {
		const result = this.#api.sd_journal_process(this.#open());
		this.#check(result, "look for changed files");
		return result > 0;
	}

	/** Copies the cursor of the current entry to `offset` and returns its length, or a negative errno. Needs {@link cursorBytesMax} bytes. */
	cursor(target: Memory, offset: number): number {
		const result = this.#api.sd_journal_get_cursor(this.#open(), (this.#outAt + outCursor) as Pointer);
		if (result < 0) return result;
		const address = this.#pointerAt(outCursor) as Pointer;
		const length = libc.strlen(address);
		assert(length > 0 && length < cursorBytesMax, "A cursor is short text");
		target.copyForeign(offset, address, length);
		libc.free(address);
		return length;
	}

	/** Starts over with the fields of the current entry. */
	restartFields(): void {
		this.#api.sd_journal_restart_data(this.#open());
	}

	/** To the next field of the current entry: 1, or 0 behind the last, or a negative errno. */
	nextField(): number {
		const handle = this.#open();
		return this.#api.sd_journal_enumerate_available_data(handle, (this.#outAt + outData) as Pointer, (this.#outAt + outLength) as Pointer);
	}

	/** True where the current field's bytes equal those at `offset` of `memory`. */
	fieldEquals(memory: Memory, offset: number): boolean {
		return memory.equalsForeign(offset, this.#field, this.fieldLength);
	}

	/** Copies the first `length` bytes of the current field. */
	copyField(target: Memory, offset: number, length: number): void {
		assert(length <= this.fieldLength, "A field is copied at most whole");
		target.copyForeign(offset, this.#field, length);
	}

	/** Adds `FIELD=value` to the filter: alternatives of one field, all of several. */
	addMatch(match: string): void {
		const text = cString(match);
		this.#check(this.#api.sd_journal_add_match(this.#open(), text, text.length - 1), `filter by ${match}`);
	}

	/** What follows is an alternative to what was added before. */
	addDisjunction(): void {
		this.#check(this.#api.sd_journal_add_disjunction(this.#open()), "filter");
	}

	/** Removes the filter. */
	flushMatches(): void {
		this.#api.sd_journal_flush_matches(this.#open());
	}

	/** Closes the journal. Safe twice. */
	[Symbol.dispose](): void {
		if (this.#handle === null) return;
		this.#api.sd_journal_close(this.#handle);
		this.#handle = null;
	}

	#open(): Pointer {
		assert(this.#handle !== null, "The journal is open");
		return this.#handle;
	}

	#pointerAt(offset: number): number {
		const { words } = this.#out;
		return (words[offset / 4] ?? 0) + (words[offset / 4 + 1] ?? 0) * 2 ** 32;
	}

	#check(result: number, step: string): void {
		if (result >= 0) return;
		throw new OperatingError("journal", `Journal: ${step}: ${describeErrno(-result)}`, { errno: -result, hint: journalHint(-result) });
	}
}

/** True for an error of `next` or of a field that concerns one entry only. */
export function isSkippable(result: number): boolean {
	return skippable.has(result);
}

function journalHint(code: number): string {
	if (code === 13 || code === 1) return "add the user of the agent to the group systemd-journal, or run it as root";
	if (code === 2 || code === 20) return "name a directory that holds *.journal files, or leave the path empty for the journal of this machine";
	return "journalctl --verify names damaged files";
}
