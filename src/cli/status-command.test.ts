import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { temporaryDirectory } from "../../test/support/temporary-directory.ts";
import { lockFile } from "../platform/ffi/file-lock.ts";
import { isLocked } from "../platform/lock-holder.ts";
import type { AgentStatus } from "../telemetry/status-file.ts";
import { statusText } from "./status-command.ts";

const run = { received: 90, derived: 2, published: 80, dropped: { ring_full: 7 }, discarded: { own: 5 }, lost: {}, inFlight: 0, truncated: 0 };
const total = { ...run, received: 990, published: 980 };
const status: AgentStatus = {
	version: 1,
	saved: "2026-01-02T03:04:05.000Z",
	run: { id: "5f0c", pid: 4711, node: "node-7", cluster: "default", agent: "0.1.0", started: "2026-01-02T03:00:00.000Z", ended: false },
	health: {
		kernel: { status: "healthy", message: "Reports process exec." },
		nats: { status: "unhealthy", message: "refused\u001b[31m" },
	},
	restarts: { kernel: 1, systemd: 1 },
	collectors: { kernel: { lane: "ab", reached: 2, since: "2026-01-01T00:00:00.000Z", run, total } },
};
const now = Date.parse(status.saved) + 12_000;

test("statusText() tells who runs, how it is, and what it moved", () => {
	expect(statusText(status, true, now, false)).toBe(`tapio-agent 0.1.0 on node node-7 in cluster default
running as process 4711 since 2026-01-02T03:00:00.000Z; as of 12 s ago; restarted hosts: 2

Health
  kernel  healthy    Reports process exec.
  nats    unhealthy  refused\\x1b[31m

This run
collector  received  published  dropped  discarded  in flight
kernel           92         80        7          5          0
kernel: 7 dropped: ring_full, its ring was full, because the sink was away or too slow
kernel: 5 discarded: own

All runs since 2026-01-01T00:00:00.000Z
collector  received  published  dropped  discarded  in flight
kernel          992        980        7          5          0
kernel: 7 dropped: ring_full, its ring was full, because the sink was away or too slow
kernel: 5 discarded: own
`);
});

test("statusText() tells an orderly end from a sudden one, and what is not known from both", () => {
	const second = (state: AgentStatus, isRunning: boolean | undefined, at = now) => statusText(state, isRunning, at, false).split("\n")[1];
	expect(second({ ...status, run: { ...status.run, ended: true } }, false, now + 7_200_000)).toBe("stopped in order 2 h ago; restarted hosts: 2");
	expect(second(status, false, now + 600_000)).toBe("not running: it ended without a last word; this is 10 min old; restarted hosts: 2");
	expect(second({ ...status, restarts: {} }, undefined, now + 259_200_000)).toBe(
		"said to be running as process 4711 since 2026-01-02T03:00:00.000Z; as of 3 d ago",
	);
	expect(statusText(status, true, now, true)).toContain("\u001b[32mrunning\u001b[0m");
});

test("isLocked() sees a lock while it is held, and takes none itself", () => {
	using directory = temporaryDirectory();
	const path = directory.join("lock");
	expect(isLocked(path)).toBe(false);
	writeFileSync(path, "");
	expect(isLocked(path)).toBe(false);
	const attempt = lockFile(path, "note");
	if (attempt.kind !== "held") throw new Error("Nobody else holds it");
	expect(isLocked(path)).toBe(true);
	attempt.lock[Symbol.dispose]();
	expect(isLocked(path)).toBe(false);
	mkdirSync(directory.join("folder"));
	expect(isLocked(directory.join("folder"))).toBe(false);
});
