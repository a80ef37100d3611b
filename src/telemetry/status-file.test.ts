import { expect, test } from "bun:test";
import fc from "fast-check";
import { MemoryFiles } from "../../test/support/memory-files.ts";
import { createLog, type LogEntry, silentLog } from "./log.ts";
import { type AgentStatus, parseStatus, readStatus, statusPath, writeStatus } from "./status-file.ts";

const account = { received: 3, derived: 0, published: 2, dropped: { ring_full: 1 }, discarded: {}, lost: {}, inFlight: 0, truncated: 0 };
const status: AgentStatus = {
	version: 1,
	saved: "2026-01-02T03:04:05.678Z",
	run: { id: "5f0c", pid: 4711, node: "node-7", cluster: "default", agent: "0.1.0", started: "2026-01-02T03:00:00.000Z", ended: false },
	health: { kernel: { status: "healthy", message: "Reports process exec." } },
	restarts: { kernel: 0 },
	collectors: { kernel: { lane: "ab", reached: 2, since: "2026-01-01T00:00:00.000Z", run: account, total: account } },
};
const encode = (text: string) => new TextEncoder().encode(text);

test("readStatus() gives what writeStatus() wrote, and nothing where there is nothing", () => {
	const files = new MemoryFiles();
	expect(readStatus("/state", files, silentLog)).toBeUndefined();
	writeStatus("/state", files, status);
	expect(readStatus("/state", files, silentLog)).toEqual(status);
});

test("readStatus() sets aside what it cannot understand and says why, and goes on where the disk fails", () => {
	for (const [content, reason] of [
		["", "it is no JSON"],
		["{", "it is no JSON"],
		["[]", "version: "],
		[JSON.stringify({ ...status, version: 2 }), "a newer agent wrote it (format 2, this one knows 1)"],
		[JSON.stringify({ ...status, saved: 5 }), "saved: "],
	] as const) {
		const files = new MemoryFiles();
		const said: LogEntry[] = [];
		const log = createLog("info", "test", (entry) => said.push(entry));
		files.contents.set(statusPath("/state"), encode(content));
		expect(readStatus("/state", files, log)).toBeUndefined();
		expect([...files.contents.keys()]).toEqual(["/state/status.json.damaged"]);
		expect(String(said[0]?.fields?.["reason"])).toStartWith(reason);
		files.contents.set(statusPath("/state"), encode(content));
		for (const failAt of [1, 2]) {
			files.failAt = failAt;
			expect(readStatus("/state", files, log)).toBeUndefined();
		}
	}
});

test("parseStatus() throws nothing, whatever it is given", () => {
	fc.assert(fc.property(fc.oneof(fc.uint8Array(), fc.json().map(encode)), (content) => void parseStatus(content)));
	expect(parseStatus(encode(JSON.stringify(status)))).toEqual(status);
	expect(parseStatus(Uint8Array.of(0xff, 0xfe))).toEqual({ reason: "it is no JSON" });
});
