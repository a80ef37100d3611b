import { assert } from "../../base/assert.ts";
import { cursorBytesMax } from "../../platform/ffi/libsystemd.ts";
import { Memory } from "../../platform/ffi/memory.ts";

/** Where the id of `s=` stands in a cursor, and the bytes of the ids in it. */
export const idStart = 2;
export const idBytes = 32;
/** Bytes at the end of a cursor that `check` is drawn from: all digits of the sum, because damage may lie in any of them. */
const checkBytes = 16;
/** Where the digits of `i=` start, behind `s=<id>;i=`. */
export const numberStart = idStart + idBytes + 3;
const latin1 = new TextDecoder("latin1");

/** The number that journald gave an entry, contiguous within one id as long as no filter is set. */
export interface SequencePoint {
	/** 32 hexadecimal digits: `s=` of the cursor. */
	readonly id: string;
	/** `i=` of the cursor. */
	readonly number: number;
	/** Drawn from the end of the cursor, where the sum over the entry's content stands: tells two entries apart to which a damaged file gives one number. */
	readonly check: number;
}

/** Reads `s=`, `i=` and `x=` of a cursor; undefined where it has another form. */
export function parseCursor(cursor: string): SequencePoint | undefined {
	if (cursor.length >= cursorBytesMax || !/^s=[0-9a-f]{32};i=[0-9a-f]{1,13};b=[0-9a-f]{32};m=[0-9a-f]+;t=[0-9a-f]+;x=[0-9a-f]+$/.test(cursor))
		return undefined;
	const point = new CursorPoint();
	const { written } = new TextEncoder().encodeInto(cursor, point.memory.bytes);
	point.read(written);
	return point;
}

/**
 * A cursor and what stands in it, `s=<id>;i=<number>;b=<boot>;m=<monotonic>;t=<realtime>;x=<sum>` (systemd, sd_journal_get_cursor): read thousands of times a
 * second, so that texts are made anew only where they change. One thread.
 */
export class CursorPoint implements SequencePoint {
	/** The cursor, from byte 0. */
	readonly memory = Memory.allocate(cursorBytesMax);
	/** Its length; 0 before the first one was read. */
	length = 0;
	id = "";
	number = 0;
	check = 0;
	/** 32 hexadecimal digits. */
	boot = "";
	/** Microseconds of the entry's monotonic and realtime clocks; exact below 2^53, that is before the year 2255: see {@link exact}. */
	monotonic = 0;
	realtime = 0;
	/** Digits of `i=`. */
	numberLength = 0;
	/** Where the digits of `x=` start; they end with the cursor. */
	sumAt = 0;
	readonly #known = Memory.allocate(2 * idBytes);
	#at = 0;

	/** Takes apart the `length` bytes of the cursor in `memory`. Throws AssertionError where it has another form. */
	read(length: number): void {
		const { memory } = this;
		const { bytes } = memory;
		this.length = length;
		this.number = this.#digits(numberStart);
		this.numberLength = this.#at - numberStart;
		const boot = this.#at + 3;
		this.monotonic = this.#digits(boot + idBytes + 3);
		this.realtime = this.#digits(this.#at + 3);
		this.sumAt = this.#at + 3;
		assert(bytes[boot - 2] === 0x62 && bytes[this.sumAt - 2] === 0x78 && this.sumAt < length, "A cursor has its six parts");
		let check = 0;
		for (let at = length - checkBytes; at < length; at += 4) check = (Math.imul(check, 0x01000193) + memory.view.getInt32(at, true)) | 0;
		this.check = check;
		if (!memory.equals(idStart, this.#known, 0, idBytes)) this.id = this.#remember(idStart, 0);
		if (!memory.equals(boot, this.#known, idBytes, idBytes)) this.boot = this.#remember(boot, idBytes);
	}

	/** The cursor as text, "" where none was read. */
	get text(): string {
		return latin1.decode(this.memory.bytes.subarray(0, this.length));
	}

	/** A stamp of the cursor read last, whatever its size. Not for hot paths. */
	exact(clock: "realtime" | "monotonic"): bigint {
		const digits = new RegExp(`;${clock === "realtime" ? "t" : "m"}=([0-9a-f]+)`).exec(this.text)?.[1];
		assert(digits !== undefined, "A cursor has both stamps");
		return BigInt(`0x${digits}`);
	}

	#remember(from: number, to: number): string {
		this.#known.copy(to, this.memory, from, idBytes);
		return latin1.decode(this.memory.bytes.subarray(from, from + idBytes));
	}

	/** The hexadecimal number at `start`. Seven digits at a time are whole 32-bit numbers. */
	#digits(start: number): number {
		const { bytes } = this.memory;
		let value = 0;
		let at = start;
		for (;;) {
			let part = 0;
			let scale = 1;
			const stop = at + 7;
			for (; at < stop; at++) {
				const byte = bytes[at] ?? 0;
				const digit = byte < 0x3a ? byte - 0x30 : byte - 0x57;
				if (digit < 0 || digit > 15) break;
				part = (part << 4) | digit;
				scale <<= 4;
			}
			value = value * scale + part;
			if (at < stop) break;
		}
		this.#at = at;
		return value;
	}
}

/** When an entry was written, by both clocks: a damaged file may give one number to two entries. */
export class EntryTime {
	#realtime = 0;
	#monotonic = 0;
	#boot = "";

	set({ realtime, monotonic, boot }: CursorPoint): void {
		this.#realtime = realtime;
		this.#monotonic = monotonic;
		this.#boot = boot;
	}

	clear(): void {
		this.#boot = "";
	}

	/** True where the entry was written then; also where nothing was set. */
	isOf({ realtime, monotonic, boot }: CursorPoint): boolean {
		return this.#boot === "" || (this.#realtime === realtime && this.#monotonic === monotonic && this.#boot === boot);
	}
}
