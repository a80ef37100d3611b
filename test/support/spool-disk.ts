import type { SpoolFile, SpoolFiles } from "../../src/platform/spool-files.ts";

/** What a disk is asked for. */
export type DiskOperation =
	| "makeDirectory"
	| "list"
	| "openRead"
	| "open"
	| "remove"
	| "syncDirectory"
	| "size"
	| "read"
	| "write"
	| "truncate"
	| "sync";

/** Something that was done to a file and not synced. */
type Change = { readonly at: number; readonly bytes: Uint8Array } | { readonly length: number };

/** The bytes that are read. */
export interface Range {
	readonly from: number;
	readonly to: number;
}

interface Inode {
	content: Uint8Array;
	/** What survives a loss of power whatever happens. */
	durable: Uint8Array;
	pending: Change[];
}

/** Bytes of a sector, which a disk writes whole or not at all. */
const sectorBytes = 512;

function systemError(code: string): Error {
	return Object.assign(new Error(`${code}: the disk of the test`), { code });
}

function apply(content: Uint8Array, change: Change): Uint8Array {
	if ("length" in change) {
		const cut = new Uint8Array(change.length);
		cut.set(content.subarray(0, change.length));
		return cut;
	}
	const grown = new Uint8Array(Math.max(content.length, change.at + change.bytes.length));
	grown.set(content);
	grown.set(change.bytes, change.at);
	return grown;
}

/**
 * A disk in memory for the spool. Each operation can be made to fail, it can be full, and its power can be lost: then of everything that was not synced, each
 * write, cut, new name and removal is kept, lost, or torn on its own, as a file system may reorder them.
 */
export class SpoolDisk implements SpoolFiles {
	/** Names as every process sees them. */
	readonly names = new Map<string, Inode>();
	/** Names that survive a loss of power. */
	#durableNames = new Map<string, Inode>();
	/** Operations so far. */
	operations = 0;
	/** Asked before each operation: a code to fail with, or undefined. Of a failing write `partial` bytes go in before. */
	fails: (operation: DiskOperation, count: number, range?: Range) => string | undefined = () => undefined;
	partial = 0;
	/** Bytes of all files at most. */
	capacity = Number.POSITIVE_INFINITY;
	/** Bytes that one write takes at most. */
	writeMost = Number.POSITIVE_INFINITY;
	openFiles = 0;
	syncs = 0;

	#guard(operation: DiskOperation, range?: Range): void {
		const code = this.fails(operation, ++this.operations, range);
		if (code !== undefined) throw systemError(code);
	}

	get used(): number {
		let sum = 0;
		for (const { content } of this.names.values()) sum += content.length;
		return sum;
	}

	makeDirectory(): void {
		this.#guard("makeDirectory");
	}

	list(path: string): readonly string[] {
		this.#guard("list");
		return [...this.names.keys()].filter((name) => name.startsWith(`${path}/`)).map((name) => name.slice(path.length + 1).split("/")[0] ?? "");
	}

	read(path: string): SpoolFile | undefined {
		this.#guard("openRead");
		const inode = this.names.get(path);
		return inode === undefined ? undefined : this.#file(inode);
	}

	open(path: string): SpoolFile {
		this.#guard("open");
		const inode = this.names.get(path) ?? { content: new Uint8Array(0), durable: new Uint8Array(0), pending: [] };
		this.names.set(path, inode);
		return this.#file(inode);
	}

	remove(path: string): void {
		this.#guard("remove");
		this.names.delete(path);
	}

	syncDirectory(path: string): void {
		this.#guard("syncDirectory");
		const isInside = (name: string) => name.startsWith(`${path}/`);
		this.#durableNames = new Map([
			...[...this.#durableNames].filter(([name]) => !isInside(name)),
			...[...this.names].filter(([name]) => isInside(name)),
		]);
	}

	#file(inode: Inode): SpoolFile {
		this.openFiles++;
		return {
			size: () => {
				this.#guard("size");
				return inode.content.length;
			},
			read: (target, position) => {
				this.#guard("read", { from: position, to: position + target.length });
				const part = inode.content.subarray(position, position + target.length);
				target.set(part);
				return part.length;
			},
			write: (content, position) => this.#write(inode, content, position),
			truncate: (length) => {
				this.#guard("truncate");
				this.#change(inode, { length });
			},
			sync: () => {
				this.#guard("sync");
				this.syncs++;
				inode.durable = inode.content;
				inode.pending = [];
			},
			close: () => {
				this.openFiles--;
			},
		};
	}

	#write(inode: Inode, content: Uint8Array, position: number): number {
		const code = this.fails("write", ++this.operations);
		const room = Math.max(0, this.capacity - this.used + Math.max(0, inode.content.length - position));
		const limit = code === undefined ? Math.min(room, this.writeMost) : this.partial;
		const taken = content.slice(0, Math.min(content.length, limit));
		if (taken.length > 0) this.#change(inode, { at: position, bytes: taken });
		if (code !== undefined) throw systemError(code);
		if (taken.length === 0 && content.length > 0) throw systemError("ENOSPC");
		return taken.length;
	}

	#change(inode: Inode, change: Change): void {
		inode.content = apply(inode.content, change);
		inode.pending.push(change);
	}

	/** The power is lost. `random` gives 0 to below 1. Every file that was open is no more to be used. */
	losePower(random: () => number): void {
		const survivors = new Map(this.#durableNames);
		for (const [name, inode] of this.names) if (survivors.get(name) !== inode && random() < 0.5) survivors.set(name, inode);
		for (const name of this.#durableNames.keys()) if (!this.names.has(name) && random() < 0.5) survivors.delete(name);
		this.names.clear();
		this.openFiles = 0;
		for (const [name, inode] of survivors) {
			let content = inode.durable;
			for (const change of inode.pending) {
				const fate = random();
				if (fate < 0.3) continue;
				content = apply(content, fate < 0.6 ? tear(change, random) : change);
			}
			this.names.set(name, { content, durable: content, pending: [] });
		}
		this.#durableNames = new Map(this.names);
	}

	/** The process ends: what was done stays, and is as unsynced as before. */
	kill(): void {
		this.openFiles = 0;
	}

	/** The bytes of a file, to be damaged by hand. */
	content(path: string): Uint8Array {
		return this.names.get(path)?.content.slice() ?? new Uint8Array(0);
	}

	/** Puts bytes in the place of a file. */
	put(path: string, content: Uint8Array): void {
		const inode: Inode = { content, durable: content, pending: [] };
		this.names.set(path, inode);
		this.#durableNames.set(path, inode);
	}

	/** Paths of the segments, oldest first. */
	get segments(): string[] {
		return [...this.names.keys()].filter((name) => name.endsWith(".segment")).sort();
	}
}

/** A write of which a part goes in up to a sector; what it overwrites stays behind, and where nothing was there are zeros. */
function tear(change: Change, random: () => number): Change {
	if ("length" in change) return change;
	const sectors = Math.ceil(change.bytes.length / sectorBytes);
	const kept = Math.floor(random() * sectors) * sectorBytes - (change.at % sectorBytes);
	return { at: change.at, bytes: change.bytes.slice(0, Math.max(0, kept)) };
}
