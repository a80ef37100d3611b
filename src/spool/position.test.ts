import { expect, test } from "bun:test";
import { SpoolDisk } from "../../test/support/spool-disk.ts";
import { OperatingError } from "../base/errors.ts";
import { type Gone, PositionFile, readPosition } from "./position.ts";

const goneAt = (records: number): Gone => ({ records, events: records * 10, number: records, sequence: records * 10 });
const read = (disk: SpoolDisk, tag = 7) => readPosition(disk.open("/p"), tag, "/p")?.gone;

test("PositionFile leaves what was synced last alone, whatever becomes of what is written after it", () => {
	const disk = new SpoolDisk();
	const position = new PositionFile(disk.open("/p"), 7, undefined, goneAt(0));
	for (let round = 1; round <= 6; round++) {
		position.save(goneAt(round * 10));
		position.sync();
		for (let more = 1; more <= 3; more++) {
			const before = disk.content("/p");
			position.save(goneAt(round * 10 + more));
			expect(read(disk)).toEqual(goneAt(round * 10 + more));
			const after = disk.content("/p");
			// Whatever bytes of the write are torn, the position is the one that was synced.
			const torn = new SpoolDisk();
			torn.put(
				"/p",
				after.map((byte, index) => (byte === before[index] ? byte : byte ^ 0xff)),
			);
			expect(read(torn)).toEqual(goneAt(round * 10));
		}
	}
});

test("PositionFile goes on from what it finds, and keeps it until the next sync", () => {
	const disk = new SpoolDisk();
	new PositionFile(disk.open("/p"), 7, undefined, goneAt(3))[Symbol.dispose]();
	const file = disk.open("/p");
	const position = new PositionFile(file, 7, readPosition(file, 7, "/p"), goneAt(0));
	expect(read(disk)).toEqual(goneAt(3));
	position.save(goneAt(4));
	disk.losePower(() => 0);
	expect(read(disk)).toEqual(goneAt(3));
});

test("readPosition() knows nothing of an empty or damaged file, and refuses another lane and a newer version", () => {
	const disk = new SpoolDisk();
	expect(read(disk)).toBeUndefined();
	new PositionFile(disk.open("/p"), 7, undefined, goneAt(3))[Symbol.dispose]();
	expect(() => read(disk, 8)).toThrow(/belongs to another lane/);
	const content = disk.content("/p");
	for (const slot of [0, 4096]) {
		const view = new DataView(content.buffer, slot, 48);
		view.setUint32(8, 2, true);
		view.setUint32(4, Bun.hash.crc32(content.subarray(slot + 8, slot + 48)), true);
	}
	disk.put("/p", content);
	expect(() => read(disk)).toThrow(OperatingError);
	expect(() => read(disk)).toThrow(/newer agent/);
	disk.put("/p", content.fill(1));
	expect(read(disk)).toBeUndefined();
});
