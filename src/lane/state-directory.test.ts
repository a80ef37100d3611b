import { expect, test } from "bun:test";
import { statSync } from "node:fs";
import { join } from "node:path";
import { temporaryDirectory } from "../../test/support/temporary-directory.ts";
import { OperatingError } from "../base/errors.ts";
import { lockStateDirectory } from "./state-directory.ts";

const holder = { pid: process.pid, started: "2026-01-02T03:04:05Z", node: "node-7" };

test("lockStateDirectory() makes the folder for the owner alone and names the holder to the second one", () => {
	using folder = temporaryDirectory("lane");
	const path = join(folder.path, "a", "state");
	using _lock = lockStateDirectory(path, holder);
	expect(statSync(path).mode & 0o777).toBe(0o700);
	expect(statSync(join(path, "lock")).mode & 0o777).toBe(0o600);
	let error: unknown;
	try {
		lockStateDirectory(path, { pid: 1, started: "x", node: "other" });
	} catch (caught) {
		error = caught;
	}
	expect(error).toBeInstanceOf(OperatingError);
	expect(error instanceof OperatingError ? error.code : "").toBe("state_locked");
	expect(String(error)).toContain(`process ${process.pid}`);
	expect(String(error)).toContain("node-7");
});

test("lockStateDirectory() gives the folder up, and again harmlessly", () => {
	using folder = temporaryDirectory("lane");
	const lock = lockStateDirectory(folder.path, holder);
	lock[Symbol.dispose]();
	lock[Symbol.dispose]();
	lockStateDirectory(folder.path, holder)[Symbol.dispose]();
});

test("lockStateDirectory() is not inherited by a child", async () => {
	using folder = temporaryDirectory("lane");
	const lock = lockStateDirectory(folder.path, holder);
	const child = Bun.spawn(["sh", "-c", "echo up; exec sleep 60"], { stdout: "pipe" });
	try {
		// Until it executes its program a child holds every descriptor of its parent.
		await child.stdout.getReader().read();
		lock[Symbol.dispose]();
		lockStateDirectory(folder.path, holder)[Symbol.dispose]();
	} finally {
		child.kill();
		await child.exited;
	}
});

test("lockStateDirectory() names a folder that cannot be made", () => {
	expect(() => lockStateDirectory("/proc/tapio", holder)).toThrow(/Make the state folder/);
});
