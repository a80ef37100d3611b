import { assert } from "../../base/assert.ts";
import { Memory } from "../../platform/ffi/memory.ts";

/** Names of fields remembered. Beyond it the table must be cleared. The journal of a busy node has about a hundred. */
export const keysMax = 1024;
/** Longest name that is remembered (systemd allows 64, journal-file.h). */
const keyBytesMax = 64;
/** Bytes per name: `,"NAME":` and the name's length. */
const slotBytes = 80;
const bucketsMax = 4096;
/** Names known by the first eight bytes of their fields: more would reach into the values of short names, MESSAGE among them. */
const familiarMax = 512;
const familiarBytes = 8;

/** Fields that the encoder treats apart. */
export const special = { none: 0, unit: 1, hostname: 2, priority: 3, boot: 4 } as const;

const specialNames = new Map<string, number>([
	["_SYSTEMD_UNIT", special.unit],
	["_HOSTNAME", special.hostname],
	["PRIORITY", special.priority],
	["_BOOT_ID", special.boot],
]);

/** Numbers the names of journal fields and keeps their JSON text. Names with other than letters, digits, `_`, `-` and `.` are not taken. One thread. */
export class KeyTable {
	readonly #memory = Memory.allocate(keysMax * slotBytes);
	readonly #lengths = new Uint8Array(keysMax);
	readonly #specials = new Uint8Array(keysMax);
	readonly #buckets = new Int16Array(bucketsMax).fill(-1);
	readonly #familiar = new Int16Array(familiarMax).fill(-1);
	#count = 0;

	/** The JSON text `,"NAME":` of every key, at `index * 80`. */
	get text(): Memory {
		return this.#memory;
	}

	/** Where the text of key `index` starts. */
	textOffset(index: number): number {
		return index * slotBytes;
	}

	/** Length of the name alone. */
	nameLength(index: number): number {
		return this.#lengths[index] ?? 0;
	}

	/** Its length. */
	textLength(index: number): number {
		return (this.#lengths[index] ?? 0) + 4;
	}

	/** One of {@link special} for key `index`. */
	specialOf(index: number): number {
		return this.#specials[index] ?? 0;
	}

	/** The number of the name that a field at the start of `source` begins with, `NAME=value`; -1 as {@link find}, and where there is no name. */
	findField(source: Memory, length: number): number {
		const { words } = source;
		if (length < familiarBytes) return this.#findNamed(source, length);
		let hash = Math.imul((words[0] ?? 0) ^ Math.imul(words[1] ?? 0, 0x01000193), 0x01000193);
		hash = (hash ^ (hash >>> 15)) & (familiarMax - 1);
		const index = this.#familiar[hash] ?? -1;
		if (index !== -1) {
			const name = this.#lengths[index] ?? 0;
			if (name < length && source.bytes[name] === 0x3d && source.equals(0, this.#memory, index * slotBytes + 2, name)) return index;
		}
		const found = this.#findNamed(source, length);
		this.#familiar[hash] = found;
		return found;
	}

	/** The number of the name at `offset`, 0 to 1023; -1 where it cannot be taken: odd characters, too long, or the table is full. */
	find(source: Memory, offset: number, length: number): number {
		if (length === 0 || length > keyBytesMax) return -1;
		const { bytes } = source;
		let hash = 0x811c9dc5;
		for (let at = offset; at < offset + length; at++) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
		let bucket = (hash ^ (hash >>> 15)) & (bucketsMax - 1);
		for (;;) {
			const index = this.#buckets[bucket] ?? -1;
			if (index === -1) return this.#add(bucket, source, offset, length);
			if (this.#lengths[index] === length && this.#equals(index, bytes, offset, length)) return index;
			bucket = (bucket + 1) & (bucketsMax - 1);
		}
	}

	/** True where no further name can be taken. */
	get full(): boolean {
		return this.#count === keysMax;
	}

	/** Forgets everything; every number becomes invalid. */
	clear(): void {
		this.#buckets.fill(-1);
		this.#familiar.fill(-1);
		this.#count = 0;
	}

	#findNamed(source: Memory, length: number): number {
		const equals = source.bytes.subarray(0, Math.min(length, keyBytesMax + 1)).indexOf(0x3d);
		return equals <= 0 ? -1 : this.find(source, 0, equals);
	}

	#equals(index: number, bytes: Uint8Array, offset: number, length: number): boolean {
		const at = index * slotBytes + 2;
		for (let step = 0; step < length; step++) {
			if (this.#memory.bytes[at + step] !== bytes[offset + step]) return false;
		}
		return true;
	}

	#add(bucket: number, source: Memory, offset: number, length: number): number {
		if (this.#count === keysMax) return -1;
		let name = "";
		for (let at = offset; at < offset + length; at++) {
			const letter = source.bytes[at] ?? 0;
			if (!isPlain(letter)) return -1;
			name += String.fromCharCode(letter);
		}
		const index = this.#count++;
		assert(index < keysMax, "The table has room");
		const { bytes } = this.#memory;
		const at = index * slotBytes;
		bytes[at] = 0x2c;
		bytes[at + 1] = 0x22;
		bytes.set(source.bytes.subarray(offset, offset + length), at + 2);
		bytes[at + 2 + length] = 0x22;
		bytes[at + 3 + length] = 0x3a;
		this.#lengths[index] = length;
		this.#specials[index] = specialNames.get(name) ?? special.none;
		this.#buckets[bucket] = index;
		return index;
	}
}

function isPlain(letter: number): boolean {
	const lower = letter | 0x20;
	return (lower >= 0x61 && lower <= 0x7a) || (letter >= 0x30 && letter <= 0x39) || letter === 0x5f || letter === 0x2d || letter === 0x2e;
}
