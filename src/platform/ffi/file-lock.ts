import { closeSync, constants, fchmodSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { assert } from "../../base/assert.ts";
import { OperatingError } from "../../base/errors.ts";
import { describeErrno, errno, libc } from "./libc.ts";

const lockExclusive = 2;
const lockNoWait = 4;

/** EWOULDBLOCK: somebody else holds the lock. */
const wouldBlock = 11;
/** EINTR: a signal came first. */
const interrupted = 4;

/** Attempts at a lock that signals interrupt. Beyond it the error is reported. */
const attemptsMax = 100;

/** What came of an attempt to lock a file. */
export type FileLock =
	/** `dispose` gives it up; the kernel does so when the process ends, however it ends. Harmless twice. */
	| { readonly kind: "held"; readonly lock: Disposable }
	/** Somebody else holds it; `note` is what they wrote into the file. */
	| { readonly kind: "taken"; readonly note: string };

/**
 * Locks a file for this process alone and writes `note` into it. The descriptor is closed on exec, so that no child keeps the lock alive.
 * Throws OperatingError "file_lock" where the system refuses.
 */
export function lockFile(path: string, note: string): FileLock {
	assert(note.length > 0 && note.length < 4096, "A note is short");
	let descriptor: number;
	try {
		// Bun opens with O_CLOEXEC.
		descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
	} catch (cause) {
		throw new OperatingError("file_lock", `Open ${path}`, { cause });
	}
	assert(descriptor >= 0, "An open file has a descriptor");
	for (let attempt = 0; libc.flock(descriptor, lockExclusive | lockNoWait) !== 0; attempt++) {
		const code = errno();
		if (code === interrupted && attempt < attemptsMax) continue;
		const holder = code === wouldBlock ? readFileSync(descriptor, "utf8") : "";
		closeSync(descriptor);
		if (code === wouldBlock) return { kind: "taken", note: holder };
		throw new OperatingError("file_lock", `Lock ${path}: ${describeErrno(code)}`, { errno: code });
	}
	// Written only once the lock is ours: until then the note of the holder stands.
	fchmodSync(descriptor, 0o600);
	ftruncateSync(descriptor, 0);
	writeSync(descriptor, note, 0);
	let open = true;
	return {
		kind: "held",
		lock: {
			[Symbol.dispose]() {
				if (!open) return;
				open = false;
				closeSync(descriptor);
			},
		},
	};
}
