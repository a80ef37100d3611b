import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder of a test's own, gone with all it holds at the end of the scope: `using directory = temporaryDirectory()`. */
export interface TemporaryDirectory extends Disposable {
	/** Absolute, without symbolic links. */
	readonly path: string;
	/** The absolute path of `names` below it. Makes nothing. */
	join(...names: string[]): string;
}

/** Makes an empty folder that only this user reads. */
export function temporaryDirectory(label = "test"): TemporaryDirectory {
	const path = realpathSync(mkdtempSync(join(tmpdir(), `tapio-${label}-`)));
	return {
		path,
		join: (...names) => join(path, ...names),
		[Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 3 }),
	};
}
