import { chmodSync } from "node:fs";
import { join } from "node:path";
import { OperatingError } from "../base/errors.ts";
import { lockFile } from "../platform/ffi/file-lock.ts";
import { systemStateFiles } from "../platform/state-files.ts";

/** Who holds a state folder, as its lock file tells. */
export interface StateHolder {
	readonly pid: number;
	/** ISO 8601. */
	readonly started: string;
	readonly node: string;
}

/**
 * Makes the state folder where there is none (0700), and holds it for this agent until `dispose` or the end of the process.
 * Throws OperatingError "state_locked", which names the holder, where another agent holds it, and "state_directory" where it cannot be used.
 */
export function lockStateDirectory(path: string, holder: StateHolder): Disposable {
	try {
		systemStateFiles.makeDirectory(path);
		// Cursors and subjects tell what runs here: for the owner alone, also in a folder that was made by hand.
		chmodSync(path, 0o700);
	} catch (cause) {
		throw new OperatingError("state_directory", `Make the state folder ${path}`, {
			cause,
			hint: "check orchestrator.state_dir, its owner and its file system",
		});
	}
	const attempt = lockFile(join(path, "lock"), `${JSON.stringify(holder)}\n`);
	if (attempt.kind === "held") return attempt.lock;
	throw new OperatingError("state_locked", `Another agent holds the state folder ${path}: ${describeHolder(attempt.note)}`, {
		hint: "stop it, or give this agent an orchestrator.state_dir of its own",
	});
}

function describeHolder(note: string): string {
	try {
		const value: unknown = JSON.parse(note);
		if (typeof value === "object" && value !== null && "pid" in value && "started" in value && "node" in value) {
			return `process ${JSON.stringify(value.pid)}, started ${JSON.stringify(value.started)}, node ${JSON.stringify(value.node)}`;
		}
	} catch {
		// The holder is still writing its note, or it is none of ours: the lock counts all the same.
	}
	return "its note cannot be read";
}
