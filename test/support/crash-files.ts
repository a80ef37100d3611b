import { dirname } from "node:path";
import type { AppendFile, StateFiles } from "../../src/platform/state-files.ts";

/** What a program asks of a disk. Opening makes the file where there is none, or empties it where it is to be written anew. */
export type DiskKind = "make_directory" | "read" | "open" | "write" | "truncate" | "sync" | "rename" | "sync_folder";

/** One thing asked of the disk. */
export interface DiskOperation {
	readonly kind: DiskKind;
	readonly path: string;
	/** Bytes of a write; 0 for everything else. */
	readonly bytes: number;
}

/** Called before each operation. Throws to fail it; for a write it returns how many bytes are taken, at least one. */
export type DiskWatch = (operation: DiskOperation) => number;

/** Chance as a loss of power needs it. */
interface Chance {
	below(bound: number): number;
	chance(probability: number): boolean;
}

/** A change of a file's content that no sync has made safe. */
type Change =
	| { readonly kind: "write"; readonly offset: number; readonly content: Uint8Array }
	| { readonly kind: "truncate"; readonly length: number };

/** The content of a file, whatever it is called. */
interface Content {
	/** What survives a loss of power. */
	safe: Uint8Array;
	/** What was done since. */
	changes: Change[];
	length: number;
}

/** A change of names, in the order of the file system's journal. */
type NameChange =
	| { readonly kind: "create"; readonly path: string; readonly content: Content }
	| { readonly kind: "rename"; readonly source: string; readonly target: string };

/**
 * Files in memory as a journalling file system with delayed allocation keeps them, such as ext4. The end of a process loses nothing. A loss of power keeps what
 * was synced, and of the rest anything: names are journalled, so that a beginning of their changes survives, in order; the content of each file goes its own
 * way, so that a name may survive without it, each write whole, in part or not at all, later ones without earlier ones, and the length with zeros or
 * rubbish where nothing was written. Syncing a file makes its content safe and the change that made its name; syncing a folder all names.
 */
export class CrashFiles {
	/** Names as programs see them. */
	readonly #names = new Map<string, Content>();
	/** Names as the disk has them. */
	readonly #safeNames = new Map<string, Content>();
	#journal: NameChange[] = [];

	/** The files as one life of a program sees them, which `watch` follows. */
	view(watch: DiskWatch): StateFiles {
		const ask = (kind: DiskKind, path: string) => watch({ kind, path, bytes: 0 });
		const write = (path: string, content: Content, bytes: Uint8Array) => {
			const taken = bytes.slice(0, watch({ kind: "write", path, bytes: bytes.length }));
			content.changes.push({ kind: "write", offset: content.length, content: taken });
			content.length += taken.length;
			return taken.length;
		};
		const sync = (path: string, content: Content) => {
			ask("sync", path);
			this.#sync(content);
		};
		const rename = (source: string, target: string) => {
			ask("rename", source);
			this.#journal.push({ kind: "rename", source, target });
			move(this.#names, source, target);
		};
		return {
			makeDirectory: (path) => void ask("make_directory", path),
			read: (path) => {
				ask("read", path);
				const content = this.#names.get(path);
				return content === undefined ? undefined : withChanges(content.safe, content.changes);
			},
			append: (path): AppendFile => {
				ask("open", path);
				const content = this.#open(path);
				return {
					write: (bytes) => write(path, content, bytes),
					truncate: (length) => {
						ask("truncate", path);
						truncate(content, length);
					},
					sync: () => sync(path, content),
					close: () => undefined,
				};
			},
			replace: (path, bytes) => {
				const next = `${path}.new`;
				ask("open", next);
				const content = this.#open(next);
				if (content.length > 0) truncate(content, 0);
				for (let written = 0; written < bytes.length; ) written += write(next, content, bytes.subarray(written));
				sync(next, content);
				rename(next, path);
				ask("sync_folder", dirname(path));
				this.#commit(this.#journal.length);
			},
			rename,
		};
	}

	/** A loss of power. Says what became of each file that was not safe. */
	losePower(random: Chance): string[] {
		const lost = this.#journal.length;
		const kept = random.below(lost + 1);
		this.#commit(kept);
		this.#journal = [];
		this.#names.clear();
		const story = lost === 0 ? [] : [`${kept} of ${lost} changes of names survive`];
		for (const [path, content] of this.#safeNames) {
			this.#names.set(path, content);
			if (content.changes.length > 0) story.push(loseContent(path, content, random));
		}
		return story;
	}

	#open(path: string): Content {
		const found = this.#names.get(path);
		if (found !== undefined) return found;
		const content: Content = { safe: new Uint8Array(0), changes: [], length: 0 };
		this.#names.set(path, content);
		this.#journal.push({ kind: "create", path, content });
		return content;
	}

	#sync(content: Content): void {
		content.safe = withChanges(content.safe, content.changes);
		content.changes = [];
		// The journal is kept in order: with the change that made the file, all before it are safe.
		this.#commit(this.#journal.findLastIndex((change) => change.kind === "create" && change.content === content) + 1);
	}

	#commit(count: number): void {
		for (const change of this.#journal.splice(0, count)) {
			if (change.kind === "create") this.#safeNames.set(change.path, change.content);
			else move(this.#safeNames, change.source, change.target);
		}
	}
}

function move(names: Map<string, Content>, source: string, target: string): void {
	const content = names.get(source);
	if (content === undefined) throw new Error(`ENOENT: ${source}`);
	names.set(target, content);
	names.delete(source);
}

function truncate(content: Content, length: number): void {
	content.changes.push({ kind: "truncate", length });
	content.length = length;
}

/** Leaves of the content what may be left of it. */
function loseContent(path: string, content: Content, random: Chance): string {
	const before = content.length;
	const { changes } = content;
	const style = random.below(4);
	let kept: Change[];
	if (style === 0) kept = changes;
	else if (style === 1) kept = tornTail(changes.slice(0, random.below(changes.length + 1)), random);
	else kept = changes.filter(() => random.chance(0.6)).map((change) => (random.chance(0.2) ? torn(change, random) : change));
	let left = withChanges(content.safe, kept);
	let filled = 0;
	if (left.length < before && random.chance(0.4)) {
		filled = 1 + random.below(before - left.length);
		const isRubbish = random.chance(0.5);
		left = Buffer.concat([left, Uint8Array.from({ length: filled }, () => (isRubbish ? random.below(256) : 0))]);
	}
	content.safe = left;
	content.changes = [];
	content.length = left.length;
	const fate = style === 0 ? "all of it" : `${kept.length} of ${changes.length} changes, ${left.length} of ${before} bytes`;
	return `${path} keeps ${fate}${filled > 0 ? `, ${filled} of them zeros or rubbish` : ""}`;
}

function tornTail(changes: Change[], random: Chance): Change[] {
	return changes.map((change, index) => (index === changes.length - 1 ? torn(change, random) : change));
}

function torn(change: Change, random: Chance): Change {
	return change.kind === "write" ? { ...change, content: change.content.subarray(0, random.below(change.content.length + 1)) } : change;
}

/** Content with changes done to it, each where it was done: what is missing before it becomes zeros. */
function withChanges(safe: Uint8Array, changes: readonly Change[]): Uint8Array {
	let length = safe.length;
	let longest = length;
	for (const change of changes) {
		length = change.kind === "truncate" ? Math.min(length, change.length) : Math.max(length, change.offset + change.content.length);
		longest = Math.max(longest, length);
	}
	const result = new Uint8Array(longest);
	result.set(safe);
	length = safe.length;
	for (const change of changes) {
		if (change.kind === "write") {
			result.set(change.content, change.offset);
			length = Math.max(length, change.offset + change.content.length);
		} else if (change.length < length) {
			result.fill(0, change.length, length);
			length = change.length;
		}
	}
	return result.subarray(0, length);
}
