import type { AppendFile, StateFiles } from "../../src/platform/state-files.ts";

/** Files in memory with a power switch: what was synced stays, what was not may be cut anywhere. */
export class MemoryFiles implements StateFiles {
	readonly contents = new Map<string, Uint8Array>();
	/** Bytes of each file that survive a loss of power. */
	readonly synced = new Map<string, number>();
	/** The operation that fails, counted down; Infinity for none. */
	failAt = Number.POSITIVE_INFINITY;
	/** Bytes that a failing write puts down before it fails. */
	partial = 0;

	#step(): boolean {
		return --this.failAt === 0;
	}

	#guard(): void {
		if (this.#step()) throw new Error("EIO");
	}

	makeDirectory(): void {
		this.#guard();
	}

	read(path: string): Uint8Array | undefined {
		this.#guard();
		return this.contents.get(path);
	}

	append(path: string): AppendFile {
		this.#guard();
		if (!this.contents.has(path)) this.contents.set(path, new Uint8Array(0));
		const content = () => this.contents.get(path) ?? new Uint8Array(0);
		return {
			write: (bytes) => {
				const fails = this.#step();
				const taken = fails ? bytes.subarray(0, Math.min(this.partial, bytes.length)) : bytes;
				this.contents.set(path, Buffer.concat([content(), taken]));
				if (fails) throw new Error("ENOSPC");
				return taken.length;
			},
			truncate: (length) => {
				this.#guard();
				this.contents.set(path, content().slice(0, length));
			},
			sync: () => {
				this.#guard();
				this.synced.set(path, content().length);
			},
			close: () => undefined,
		};
	}

	replace(path: string, content: Uint8Array): void {
		this.#guard();
		this.contents.set(path, content);
		this.synced.set(path, content.length);
	}

	rename(source: string, target: string): void {
		this.#guard();
		const content = this.contents.get(source);
		if (content !== undefined) this.contents.set(target, content);
		this.contents.delete(source);
	}

	/** A loss of power: of what was not synced only a part remains, `kept` of it from 0 to 1. */
	losePower(path: string, kept: number): void {
		const content = this.contents.get(path);
		if (content === undefined) return;
		const safe = this.synced.get(path) ?? 0;
		this.contents.set(path, content.slice(0, safe + Math.floor((content.length - safe) * kept)));
	}

	/** The end of a process in the middle of a write: some bytes of a line stand at the end. */
	tear(path: string, bytes: Uint8Array): void {
		this.contents.set(path, Buffer.concat([this.contents.get(path) ?? new Uint8Array(0), bytes]));
	}
}
