import type { SpoolFile, SpoolFiles } from "../../src/platform/spool-files.ts";

/** Files as one life of a process sees them: `before` is called ahead of each operation, and throws where the process has ended. */
export function guardedFiles(files: SpoolFiles, before: () => void): SpoolFiles {
	const ask = <T>(work: () => T): T => {
		before();
		return work();
	};
	const guard = (file: SpoolFile): SpoolFile => ({
		size: () => ask(() => file.size()),
		read: (target, position) => ask(() => file.read(target, position)),
		write: (content, position) => ask(() => file.write(content, position)),
		truncate: (length) => ask(() => file.truncate(length)),
		sync: () => ask(() => file.sync()),
		// The end of a process closes everything.
		close: () => file.close(),
	});
	return {
		makeDirectory: (path) => ask(() => files.makeDirectory(path)),
		list: (path) => ask(() => files.list(path)),
		read(path) {
			const file = ask(() => files.read(path));
			return file === undefined ? undefined : guard(file);
		},
		open: (path) => guard(ask(() => files.open(path))),
		remove: (path) => ask(() => files.remove(path)),
		syncDirectory: (path) => ask(() => files.syncDirectory(path)),
	};
}
