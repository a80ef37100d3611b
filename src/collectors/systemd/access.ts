import { isReadable, listDirectory, readTextFile } from "../../platform/files.ts";

/** What stands in the way of reading a journal, or undefined: one sentence with the next step. */
export function journalObstacle(path: string): string | undefined {
	const directories = path === "" ? machineDirectories() : [path];
	const files = directories.flatMap((directory) => (listDirectory(directory) ?? []).filter(isJournal).map((name) => `${directory}/${name}`));
	if (files.length > 0) {
		if (files.some(isReadable)) return undefined;
		return `cannot read the journal in ${directories.join(", ")}: add the user of the agent to the group systemd-journal, or run it as root`;
	}
	if (path === "") return "this machine has no journal yet: start systemd-journald, or name a directory with `path`";
	if (listDirectory(path) === undefined) return `cannot list the journal directory ${path}: check that it exists and that the agent may read it`;
	return `the journal directory ${path} holds no *.journal files yet`;
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
