import { fileIdentity, isReadable, listDirectory, readTextFile } from "../../platform/files.ts";

/** What stands in the way of reading a journal, or undefined: one sentence with the next step. */
export function journalObstacle(path: string): string | undefined {
	const directories = journalDirectories(path);
	const files = journalFiles(directories);
	if (files.length > 0) {
		if (files.some(isReadable)) return undefined;
		return `cannot read the journal in ${directories.join(", ")}: add the user of the agent to the group systemd-journal, or run it as root`;
	}
	const closed = directories.find((directory) => fileIdentity(directory) !== undefined && listDirectory(directory) === undefined);
	if (closed !== undefined && closed !== path) {
		return `cannot list the journal directory ${closed}: add the user of the agent to the group systemd-journal, or run it as root`;
	}
	if (path === "") return "this machine has no journal yet: start systemd-journald, or name a directory with `path`";
	if (listDirectory(path) === undefined) return `cannot list the journal directory ${path}: check that it exists and that the agent may read it`;
	return `the journal directory ${path} holds no *.journal files yet`;
}

/** What of the journal this process may not read although it reads the rest, or undefined: one sentence with the next step. */
export function partialObstacle(path: string): string | undefined {
	const files = journalFiles(journalDirectories(path));
	const closed = files.filter((file) => !isReadable(file));
	const [first] = closed;
	if (first === undefined || closed.length === files.length) return undefined;
	return `cannot read ${closed.length} of ${files.length} journal files (${first}): add the user of the agent to the group systemd-journal, or run it as root`;
}

/**
 * A text that changes when directories of the journal appear, vanish or are made anew, which an open journal does not always notice: libsystemd
 * watches the directories that it found when it was opened.
 */
export function journalView(path: string): string {
	return journalDirectories(path)
		.map((directory) => fileIdentity(directory) ?? "-")
		.join();
}

/** Where libsystemd looks: of a directory, itself and its machines' folders (sd-journal.c, add_root_directory). */
function journalDirectories(path: string): readonly string[] {
	if (path === "") return machineDirectories();
	const machines = (listDirectory(path) ?? []).filter((name) => /^[0-9a-f]{32}$/.test(name));
	return [path, ...machines.map((name) => `${path}/${name}`)];
}

function journalFiles(directories: readonly string[]): readonly string[] {
	return directories.flatMap((directory) => (listDirectory(directory) ?? []).filter(isJournal).map((name) => `${directory}/${name}`));
}

function isJournal(name: string): boolean {
	return name.endsWith(".journal") || name.endsWith(".journal~");
}

function machineDirectories(): string[] {
	const machine = (readTextFile("/etc/machine-id") ?? "").trim();
	return ["/var/log/journal", "/run/log/journal"].flatMap((root) => [`${root}/${machine}`, root]);
}

/** The unit that this process runs in, from the text of /proc/self/cgroup; undefined outside of systemd (cgroups(7)). */
export function parseOwnUnit(cgroups: string): string | undefined {
	for (const line of cgroups.split("\n")) {
		const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
		if (path === undefined || (controllers !== "" && controllers !== "name=systemd")) continue;
		const unit = path.split("/").findLast((part) => part.endsWith(".service"));
		if (unit !== undefined) return unit;
	}
	return undefined;
}
