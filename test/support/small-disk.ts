import { mkdirSync, rmSync, writeFileSync } from "node:fs";

/** A file system of its own, of a size, mounted in a test's folder. Needs root; unmounted with the test. */
export class SmallDisk implements Disposable {
	readonly path: string;

	/** `bytes` in whole pages. Throws Error with the words of mount(8). */
	constructor(path: string, bytes: number) {
		this.path = path;
		mkdirSync(path, { recursive: true });
		run("mount", "-t", "tmpfs", "-o", `size=${bytes},mode=700`, "tapio-test", path);
	}

	/** Takes all the room there is. */
	fill(): void {
		try {
			for (let size = 4096 * 64; size >= 4096; size /= 2) this.#fillWith(new Uint8Array(size));
		} catch (error) {
			throw new Error(`Fill ${this.path}`, { cause: error });
		}
	}

	/** Gives back what `fill` took. */
	empty(): void {
		rmSync(this.#ballast, { force: true });
	}

	[Symbol.dispose](): void {
		Bun.spawnSync(["umount", "--lazy", this.path]);
	}

	get #ballast(): string {
		return `${this.path}/ballast`;
	}

	#fillWith(block: Uint8Array): void {
		for (;;) {
			try {
				writeFileSync(this.#ballast, block, { flag: "a" });
			} catch (error) {
				if (error instanceof Error && "code" in error && error.code === "ENOSPC") return;
				throw error;
			}
		}
	}
}

function run(...words: string[]): void {
	const { success, stderr } = Bun.spawnSync(words, { stderr: "pipe" });
	if (!success) throw new Error(`${words.join(" ")}: ${stderr.toString().trim()}`);
}
