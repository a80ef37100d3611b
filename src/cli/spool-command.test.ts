import { expect, test } from "bun:test";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expectGolden } from "../../test/support/golden.ts";
import { drain, openTestSpool, recordOf } from "../../test/support/spool-records.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../../test/support/temporary-directory.ts";
import type { TextOutput } from "../platform/console.ts";
import { currentSurroundings } from "../platform/environment.ts";
import { systemSpoolFiles } from "../platform/spool-files.ts";
import { runCommandLine } from "./command-line.ts";

async function command(words: readonly string[], colors = false) {
	const written = { out: "", error: "" };
	const output = (stream: "out" | "error"): TextOutput => ({
		isTerminal: colors,
		colors,
		width: 80,
		write(text) {
			written[stream] += text;
		},
	});
	const status = await runCommandLine({ ...currentSurroundings(), arguments: words, variables: {} }, { out: output("out"), error: output("error") });
	return { status, ...written };
}

/** A spool with three segments, the first two records acknowledged. It stays open until the scope ends. */
function filled(): TemporaryDirectory {
	const folder = temporaryDirectory("inspect");
	const spool = openTestSpool(systemSpoolFiles, { maxBytes: 1024 * 1024 }, folder.path);
	for (let number = 1; number <= 9; number++) spool.append(recordOf(number, 60_000, 10, Date.UTC(2026, 0, 2, 3, 4, number)));
	for (let number = 1; number <= 2; number++) {
		spool.head(0);
		spool.acknowledge(number);
	}
	spool[Symbol.dispose]();
	return folder;
}

const names = (folder: TemporaryDirectory) => readdirSync(folder.join("spool", "kernel")).sort();
const contents = (folder: TemporaryDirectory) => names(folder).map((name) => readFileSync(folder.join("spool", "kernel", name)));

function damage(folder: TemporaryDirectory, segment: number, edit: (content: Buffer) => Uint8Array): void {
	const path = folder.join("spool", "kernel", names(folder)[segment] ?? "");
	writeFileSync(path, edit(readFileSync(path)));
}

test("spool inspect shows the segments of every lane, and changes nothing", async () => {
	using folder = filled();
	const before = contents(folder);
	const { status, out, error } = await command(["spool", "inspect", folder.path]);
	expect([status, error]).toEqual([0, ""]);
	expectGolden(join(import.meta.dir, "fixtures/spool.txt"), out.replaceAll(folder.path, "/state"));
	expect(contents(folder)).toEqual(before);
	for (const path of ["spool", "spool/kernel"]) expect((await command(["spool", "inspect", folder.join(path)])).out).toBe(out);
	const colored = (await command(["spool", "inspect", folder.path], true)).out;
	expect(colored).toContain("\x1b[");
	expect(Bun.stripANSI(colored)).toBe(out);
});

test("spool inspect names damage with its place, its bytes and what it costs, and ends with 1", async () => {
	using folder = filled();
	damage(folder, 1, (content) => content.fill(0, 70_000, 70_010));
	damage(folder, 2, (content) => content.subarray(0, content.length - 7));
	writeFileSync(folder.join("spool", "kernel", "notes\x1b[2J"), "");
	const { status, out } = await command(["spool", "inspect", folder.path]);
	expect(status).toBe(1);
	expectGolden(join(import.meta.dir, "fixtures/spool-damaged.txt"), out.replaceAll(folder.path, "/state"));
	// What it says is what a store finds.
	const { out: json } = await command(["spool", "inspect", folder.path, "--json"]);
	const reports: unknown = JSON.parse(json);
	using spool = openTestSpool(systemSpoolFiles, { maxBytes: 1024 * 1024 }, folder.path);
	const records = drain(spool);
	const { records: count, events } = spool.account.dropped.spool_damaged;
	expect(reports).toMatchObject([{ lane: { name: "kernel" }, left: { records: records.length }, lost: { records: count, events } }]);
});

test("spool inspect prints JSON for scripts", async () => {
	using folder = filled();
	rmSync(folder.join("spool", "kernel", names(folder)[1] ?? ""));
	const { status, out } = await command(["spool", "inspect", "--json", folder.path]);
	expect(status).toBe(1);
	expect(JSON.parse(out)).toMatchObject([
		{
			lane: { name: "kernel" },
			gone: { records: 2, events: 20, number: 2 },
			left: { records: 3, events: 30 },
			lost: { records: 4, events: 40 },
			segments: [
				{
					file: "0000000000000001.segment",
					records: 4,
					numbers: { first: 1, last: 4 },
					sequences: { first: 1, last: 40 },
					damage: [],
					problem: null,
				},
				{ file: "0000000000000009.segment", records: 1, times: { first: "2026-01-02T03:04:09.000Z" }, damage: [{ at: 0, lost: { records: 4 } }] },
			],
		},
	]);
});

test("spool inspect tells of segments of other lanes, of newer agents, and of files that are none", async () => {
	using folder = filled();
	const spool = (name: string) => folder.join("spool", "kernel", name);
	cpSync(spool(names(folder)[0] ?? ""), spool("0000000000000077.segment"));
	const stranger = readFileSync(spool("0000000000000077.segment"));
	stranger.fill(0, 16, 20).writeUInt32LE(9, 8);
	const header = stranger.subarray(0, stranger.readUInt32LE(12));
	stranger.writeUInt32LE(Bun.hash.crc32(header), 16);
	writeFileSync(spool("0000000000000077.segment"), stranger);
	writeFileSync(spool("0000000000000088.segment"), "#!/bin/sh\n");
	const { status, out } = await command(["spool", "inspect", folder.path]);
	expect(status).toBe(1);
	expect(out).toContain("unreadable  0000000000000077.segment: The spool in 0000000000000077.segment was written by a newer agent");
	expect(out).toContain("unreadable  0000000000000088.segment: it has the name of a segment and is none");
});

test("spool inspect says what is missing from the command line, and where there is no spool", async () => {
	using folder = temporaryDirectory("inspect");
	for (const words of [["spool"], ["spool", "mend", "x"], ["spool", "inspect"]]) {
		const { status, error } = await command(words);
		expect(status).toBe(64);
		expect(error).toContain("hint: see tapio-agent help spool");
	}
	const empty = await command(["spool", "inspect", folder.path]);
	expect(empty.status).toBe(1);
	expect(empty.error).toContain(`There is no spool in ${folder.path} (name the folder`);
	expect((await command(["spool", "inspect", folder.join("none")])).error).toContain("There is no folder");
	writeFileSync(folder.join("file"), "");
	mkdirSync(folder.join("sub"));
	expect((await command(["spool", "inspect", folder.join("file")])).error).toContain("Read the spools in");
});
