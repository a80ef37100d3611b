import { expect, test } from "bun:test";
import fc from "fast-check";
import { EventWriter, eventTemplate } from "../../event/event-writer.ts";
import { Memory } from "../../platform/ffi/memory.ts";
import { CursorPoint } from "./cursor-point.ts";
import { EntryHead } from "./entry-head.ts";

const template = eventTemplate("/cluster/node/systemd", "tapio.systemd.entry");
const startAt = 16;

/** A writer that keeps its head, or one that writes it anew. */
class Heads {
	readonly #memory = Memory.allocate(4096);
	readonly #event = new EventWriter(this.#memory);
	readonly #head = new EntryHead(template);
	readonly #point = new CursorPoint();

	/** The event of an entry that has nothing but a head. */
	event(cursor: string): { text: string; cursor: string; sequence: string } {
		const { written } = new TextEncoder().encodeInto(cursor, this.#point.memory.bytes);
		this.#point.read(written);
		this.#event.attach(this.#memory, startAt, 4096);
		this.#head.write(this.#event, this.#point);
		this.#event.byte(0x7d);
		expect(this.#event.end()).toBe(true);
		const all = Buffer.from(this.#memory.bytes);
		const { cursorOffset } = this.#head;
		return {
			text: all.toString("latin1", startAt, this.#event.position),
			cursor: all.toString("latin1", cursorOffset, cursorOffset + written),
			sequence: all.toString("latin1", this.#event.sequenceAt, this.#event.sequenceAt + 20),
		};
	}
}

const hex = (value: bigint | number) => value.toString(16);
const boots = ["bdd640fb06671ad11c80317fa3b1799d", "00000000000000000000000000000001"];
const ids = ["87ad9140f9f0436cb0f26de0d3bce795", "268fc119fe7e4ee39df2689654576fbd"];
/** Entries as they follow each other: the same boot and id for long, times that grow by little, sums of 14 to 16 digits. */
const entries = fc.array(
	fc.record({
		id: fc.constantFrom(...ids, ids[0] ?? "", ids[0] ?? ""),
		boot: fc.constantFrom(...boots, boots[0] ?? "", boots[0] ?? ""),
		step: fc.nat({ max: 400_000 }),
		sum: fc.oneof(fc.bigInt(2n ** 60n, 2n ** 64n - 1n), fc.bigInt(2n ** 52n, 2n ** 60n)),
		jump: fc.oneof({ weight: 20, arbitrary: fc.constant(0n) }, { weight: 1, arbitrary: fc.bigInt(0n, 2n ** 54n) }),
	}),
	{ minLength: 1, maxLength: 60 },
);

test("EntryHead.write() gives the same over the head of the entry before as on empty memory", () => {
	fc.assert(
		fc.property(entries, fc.oneof(fc.bigInt(0n, 2n ** 53n), fc.constant(2n ** 53n - 9n)), fc.nat({ max: 20_000_000 }), (list, start, uptime) => {
			const kept = new Heads();
			let realtime = start;
			let monotonic = BigInt(uptime);
			for (const [index, { id, boot, step, sum, jump }] of list.entries()) {
				realtime += BigInt(step) + jump;
				monotonic += BigInt(step) + jump;
				const cursor = `s=${id};i=${hex(index + 250)};b=${boot};m=${hex(monotonic)};t=${hex(realtime)};x=${hex(sum)}`;
				const event = kept.event(cursor);
				expect(event).toEqual(new Heads().event(cursor));
				expect(event.cursor).toBe(cursor);
				expect(event.sequence).toBe("0".repeat(20));
				expect(JSON.parse(event.text)).toMatchObject({
					id: `${id}-${hex(index + 250)}-${hex(sum)}`,
					data: { raw: { __CURSOR: cursor, __REALTIME_TIMESTAMP: String(realtime), __MONOTONIC_TIMESTAMP: String(monotonic), _BOOT_ID: boot } },
				});
				if (realtime < 2n ** 53n) expect(JSON.parse(event.text).time).toBe(timeOf(realtime));
			}
		}),
		{ numRuns: 100 },
	);
});

function timeOf(microseconds: bigint): string {
	const text = new Date(Number(microseconds / 1000n)).toISOString();
	return text.replace(/\d{3}Z$/, `${String(microseconds % 1_000_000n).padStart(6, "0")}Z`);
}
