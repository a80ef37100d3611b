import type { SpoolFile, SpoolFiles } from "../../src/platform/spool-files.ts";

/** Files as one life of a process sees them: `before` is called ahead of each operation, and throws where the process has ended. */
export function guardedFiles(files: SpoolFiles, before: () => void): SpoolFiles {
	const guard = (file: SpoolFile): SpoolFile => ({
		size: () => (before(), file.size()),
		read: (target, position) => (before(), file.read(target, position)),
		write: (content, position) => (before(), file.write(content, position)),
		truncate: (length) => {
			before();
			file.truncate(length);
		},
		sync: () => {
			before();
			file.sync();
		},
		// The end of a process closes everything.
		close: () => file.close(),
	});
	return {
		makeDirectory: (path) => {
			before();
			files.makeDirectory(path);
		},
		list: (path) => (before(), files.list(path)),
		read(path) {
			before();
			const file = files.read(path);
			return file === undefined ? undefined : guard(file);
		},
		open: (path) => (before(), guard(files.open(path))),
		remove: (path) => {
			before();
			files.remove(path);
		},
		syncDirectory: (path) => {
			before();
			files.syncDirectory(path);
		},
	};
}
