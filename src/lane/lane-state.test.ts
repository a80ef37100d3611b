import { expect, test } from "bun:test";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { CrashFiles } from "../../test/support/crash-files.ts";
import { MemoryFiles } from "../../test/support/memory-files.ts";
import { temporaryDirectory } from "../../test/support/temporary-directory.ts";
import { type StateFiles, systemStateFiles } from "../platform/state-files.ts";
import { silentLog } from "../telemetry/log.ts";
import { type LaneState, type LaneWorld, laneFileBytesMax, openLaneState } from "./lane-state.ts";
import { encodeRecord, type LaneMark, laneFormatVersion, type Manifest } from "./record.ts";

const encoder = new TextEncoder();

function manifest(number: number, extra: Partial<Manifest> = {}): Manifest {
	return {
		number,
		count: 10,
		firstSequence: number * 10 - 9,
		lastSequence: number * 10,
		firstCursor: `c${number * 10 - 10}`,
		lastCursor: `c${number * 10}`,
		configuration: "cafe",
		...extra,
	};
}

function markOf(number: number): LaneMark {
	return { batch: number, cursor: `c${number * 10}`, sequence: number * 10 };
}

function worldOf(files: StateFiles): LaneWorld {
	let made = 0;
	return { files, log: silentLog, randomId: () => `${++made}`.padStart(32, "0") };
}

test("openLaneState() begins fresh and keeps its id, its mark and its pending manifest on a real disk", () => {
	using folder = temporaryDirectory("lane");
	const world = worldOf(systemStateFiles);
	let id: string;
	{
		using state = openLaneState(folder.path, "systemd", world);
		id = state.id;
		expect(state.beginning).toEqual({ batch: 0, cursor: "", sequence: 0, fresh: true });
		expect(state.pending).toBeUndefined();
		state.append(manifest(1));
		expect(state.beginning.fresh).toBe(false);
		state.acknowledge(markOf(1));
		state.append(manifest(2));
	}
	using again = openLaneState(folder.path, "systemd", world);
	expect(again.id).toBe(id);
	expect(again.acknowledged).toEqual(markOf(1));
	expect(again.pending).toEqual(manifest(2));
	expect(statSync(join(folder.path, "lanes", "systemd.lane")).mode & 0o777).toBe(0o600);
	expect(statSync(join(folder.path, "lanes")).mode & 0o777).toBe(0o700);
});

test("openLaneState() gives a lane a file name of one token", () => {
	const files = new MemoryFiles();
	openLaneState("/s", "../a b", worldOf(files));
	expect([...files.contents.keys()]).toEqual(["/s/lanes/%2E%2E%2Fa%20b.lane"]);
});

test("openLaneState() refuses what a newer agent wrote, and leaves it alone", () => {
	using folder = temporaryDirectory("lane");
	const world = worldOf(systemStateFiles);
	openLaneState(folder.path, "systemd", world)[Symbol.dispose]();
	const path = join(folder.path, "lanes", "systemd.lane");
	const content = encodeRecord({ kind: "header", header: { version: laneFormatVersion + 1, lane: "systemd", id: "ab" } });
	writeFileSync(path, content);
	expect(() => openLaneState(folder.path, "systemd", world)).toThrow(/newer agent/);
	expect(readFileSync(path)).toEqual(Buffer.from(content));
});

test("openLaneState() refuses the file of another lane", () => {
	const files = new MemoryFiles();
	files.contents.set("/s/lanes/a.lane", encodeRecord({ kind: "header", header: { version: 1, lane: "b", id: "ab" } }));
	expect(() => openLaneState("/s", "a", worldOf(files))).toThrow(/belongs to the lane b/);
});

test("openLaneState() sets a damaged header aside and begins anew", () => {
	const files = new MemoryFiles();
	files.contents.set("/s/lanes/a.lane", encoder.encode("something else\n"));
	const state = openLaneState("/s", "a", worldOf(files));
	expect(state.beginning.fresh).toBe(true);
	expect(files.contents.has("/s/lanes/a.lane.damaged")).toBe(true);
});

test("openLaneState() skips a damaged line and cuts a torn tail", () => {
	const files = new MemoryFiles();
	const first = openLaneState("/s", "a", worldOf(files));
	first.append(manifest(1));
	first.acknowledge(markOf(1));
	first.append(manifest(2));
	const path = "/s/lanes/a.lane";
	const whole = new TextDecoder().decode(files.contents.get(path));
	files.contents.set(path, encoder.encode(`${whole.replace('["a",1', '["a",7')}0badc0de ["m",3`));
	const second = openLaneState("/s", "a", worldOf(files));
	// The mark is known all the same: manifest 2 says that 1 was acknowledged.
	expect(second.acknowledged).toEqual(markOf(1));
	expect(second.pending).toEqual(manifest(2));
	second.acknowledge(markOf(2));
	expect(openLaneState("/s", "a", worldOf(files)).acknowledged).toEqual(markOf(2));
});

test("LaneState remembers whose place it took over until something is delivered", () => {
	const files = new MemoryFiles();
	const state = openLaneState("/s", "a", worldOf(files));
	state.adopt("beef");
	state.append(manifest(1));
	expect(openLaneState("/s", "a", worldOf(files)).beginning).toEqual({ batch: 0, cursor: "", sequence: 0, fresh: false, adopted: "beef" });
	state.acknowledge(markOf(1));
	expect(openLaneState("/s", "a", worldOf(files)).beginning).toEqual({ ...markOf(1), fresh: false });
});

test("LaneState forgets a pending manifest where the sink goes back behind it", () => {
	const state = openLaneState("/s", "a", worldOf(new MemoryFiles()));
	for (let number = 1; number <= 8; number++) {
		state.append(manifest(number));
		if (number < 8) state.acknowledge(markOf(number));
	}
	state.acknowledge(markOf(4));
	expect(state.pending).toBeUndefined();
	state.append(manifest(5, { count: 3, lastSequence: 43, lastCursor: "c43" }));
	expect(state.pending?.count).toBe(3);
});

test("openLaneState() makes the name of a file safe that a process left behind before it synced the folder", () => {
	const files = new CrashFiles();
	const ended = files.view(({ kind, bytes }) => {
		if (kind === "sync_folder") throw new Error("The process ended");
		return bytes;
	});
	expect(() => openLaneState("/s", "a", worldOf(ended))).toThrow(/Open the state/);
	const open = () => openLaneState("/s", "a", { ...worldOf(files.view(({ bytes }) => bytes)), randomId: () => "beef" });
	const state = open();
	state.append(manifest(1));
	// Of the names only what was synced survives.
	files.losePower({ below: () => 0, chance: () => false });
	expect(open().id).toBe(state.id);
	expect(open().beginning.fresh).toBe(false);
});

test("openLaneState() makes a first manifest safe that a process left behind before it synced it", () => {
	const files = new CrashFiles();
	let writes = 0;
	const ended = files.view(({ kind, bytes }) => {
		if (kind === "write") writes++;
		if (kind === "sync" && writes > 1) throw new Error("The process ended");
		return bytes;
	});
	const first = openLaneState("/s", "a", worldOf(ended));
	expect(() => first.append(manifest(1))).toThrow(/Write the state/);
	const open = () => openLaneState("/s", "a", worldOf(files.view(({ bytes }) => bytes)));
	expect(open().beginning.fresh).toBe(false);
	// Of what was not synced nothing survives.
	files.losePower({ below: (bound) => (bound === 4 ? 1 : 0), chance: () => false });
	expect(open().beginning.fresh).toBe(false);
	expect(open().id).toBe(first.id);
});

test("LaneState.acknowledge() says that the disk refuses behind a write that failed, though nothing is new", () => {
	const files = new MemoryFiles();
	const state = openLaneState("/s", "a", worldOf(files));
	state.append(manifest(1));
	state.acknowledge(markOf(1));
	files.failAt = 1;
	expect(() => state.append(manifest(2))).toThrow(/Write the state/);
	files.failAt = 1;
	expect(() => state.acknowledge(markOf(1))).toThrow(/Write the state/);
	state.acknowledge(markOf(1));
	files.failAt = 1;
	state.acknowledge(markOf(1));
});

test("LaneState keeps its file below its limit for ever", () => {
	const files = new MemoryFiles();
	const state = openLaneState("/s", "a", worldOf(files));
	let largest = 0;
	const long = (number: number): LaneMark => ({ batch: number, cursor: `${number}`.padStart(500, "c"), sequence: number * 10 });
	for (let number = 1; number <= 3000; number++) {
		state.append(manifest(number, { firstCursor: long(number - 1).cursor, lastCursor: long(number).cursor }));
		state.acknowledge(long(number));
		largest = Math.max(largest, files.contents.get("/s/lanes/a.lane")?.length ?? 0);
	}
	expect(largest).toBeGreaterThan(laneFileBytesMax / 2);
	expect(largest).toBeLessThanOrEqual(laneFileBytesMax);
	const again = openLaneState("/s", "a", worldOf(files));
	expect(again.id).toBe(state.id);
	expect(again.acknowledged).toEqual(long(3000));
});

test("LaneState fails the Nth operation for every N without losing what it promised", () => {
	for (let n = 1; ; n++) {
		expect(n).toBeLessThan(200);
		const files = new MemoryFiles();
		files.failAt = n;
		files.partial = n % 50;
		let seen = { acknowledged: 0, pending: 0 };
		const check = () => {
			const state = openLaneState("/s", "a", worldOf(files));
			expect(state.acknowledged.batch).toBe(seen.acknowledged);
			expect(state.pending?.number ?? seen.acknowledged).toBe(Math.max(seen.pending, seen.acknowledged));
		};
		const failed = exercise(files, (next) => {
			seen = next;
		});
		files.failAt = Number.POSITIVE_INFINITY;
		check();
		if (!failed) break;
	}
});

/** Ten batches, each call made again where it fails. True where one failed. */
function exercise(files: MemoryFiles, note: (seen: { acknowledged: number; pending: number }) => void): boolean {
	let failed = false;
	const twice = <T>(call: () => T): T => {
		try {
			return call();
		} catch {
			failed = true;
			return call();
		}
	};
	const world = worldOf(files);
	const state = twice(() => openLaneState("/s", "a", world));
	for (let number = 1; number <= 10; number++) {
		twice(() => state.append(manifest(number)));
		note({ acknowledged: number - 1, pending: number });
		twice(() => state.acknowledge(markOf(number)));
		note({ acknowledged: number, pending: number });
	}
	return failed;
}

type Step = { readonly kind: "append" | "acknowledge" | "reopen" } | { readonly kind: "kill" | "power"; readonly cut: number };

const step: fc.Arbitrary<Step> = fc.oneof(
	{ weight: 6, arbitrary: fc.constantFrom<Step>({ kind: "append" }, { kind: "acknowledge" }, { kind: "reopen" }) },
	{ weight: 1, arbitrary: fc.record({ kind: fc.constantFrom("kill" as const, "power" as const), cut: fc.double({ min: 0, max: 1, noNaN: true }) }) },
);

test("LaneState agrees with a model under torn tails and losses of power", () => {
	fc.assert(
		fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
			const files = new MemoryFiles();
			const path = "/s/lanes/a.lane";
			let state: LaneState = openLaneState("/s", "a", worldOf(files));
			const { id } = state;
			let acknowledged = 0;
			let appended = 0;
			for (const action of steps) {
				if (action.kind === "append" && appended === acknowledged) state.append(manifest(++appended));
				else if (action.kind === "acknowledge" && appended > acknowledged) state.acknowledge(markOf(++acknowledged));
				else if (action.kind === "kill" || action.kind === "power") {
					if (action.kind === "power") files.losePower(path, action.cut);
					else {
						const line = encodeRecord({ kind: "manifest", manifest: manifest(999) });
						files.tear(path, line.slice(0, Math.floor((line.length - 1) * action.cut)));
					}
				}
				if (action.kind === "append" || action.kind === "acknowledge") continue;
				const fresh = state.beginning.fresh;
				state = openLaneState("/s", "a", worldOf(files));
				expect(state.id).toBe(id);
				// Once a manifest was to be sent, the lane is never fresh again.
				expect(state.beginning.fresh).toBe(fresh);
				expect(state.acknowledged.batch).toBeLessThanOrEqual(acknowledged);
				if (action.kind !== "power") expect(state.acknowledged.batch).toBe(acknowledged);
				if (action.kind !== "power") expect(state.pending?.number).toBe(appended > acknowledged ? appended : undefined);
				if (state.acknowledged.batch > 0) expect(state.acknowledged).toEqual(markOf(state.acknowledged.batch));
				if (state.pending !== undefined) expect(state.pending).toEqual(manifest(state.pending.number));
				if (action.kind === "power" && state.acknowledged.batch < acknowledged) {
					// The stream is asked, and says where the lane stands.
					state.acknowledge(markOf(acknowledged));
				}
				if (action.kind === "power") appended = Math.max(acknowledged, state.pending?.number ?? 0);
			}
		}),
		{ numRuns: 300 },
	);
});

test("LaneState.pending is a batch whose number another run took, and none that is acknowledged", () => {
	const files = new MemoryFiles();
	const open = () => openLaneState("/state", "kernel", { files, log: silentLog, randomId: () => "0a1b" });
	const manifest = { number: 7, firstCursor: "", lastCursor: "", count: 3, firstSequence: 11, lastSequence: 13, configuration: "42" };
	for (const [run, isPending, sequence] of [
		[42, false, 13],
		[0, false, 13],
		[43, true, 10],
	] as const) {
		files.contents.clear();
		const state = open();
		state.append(manifest);
		state.acknowledge({ batch: 7, cursor: "", sequence: 13, run });
		for (const each of [state, open()]) {
			expect(each.pending === undefined).toBe(!isPending);
			expect(each.settled).toEqual({ configuration: "42", sequence });
		}
	}
});
