import { expect, test } from "bun:test";
import fc from "fast-check";
import { CursorPoint, EntryTime, parseCursor } from "./cursor-point.ts";

const hexadecimal = (digits: number) => fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: digits, maxLength: digits });
const number = (max: bigint) => fc.bigInt(1n, max);
const parts = fc.record({
	id: hexadecimal(32),
	number: number(2n ** 52n - 1n),
	boot: hexadecimal(32),
	monotonic: number(2n ** 55n - 1n),
	realtime: number(2n ** 55n - 1n),
	sum: number(2n ** 64n - 1n),
});
type Parts = typeof parts extends fc.Arbitrary<infer T> ? T : never;

/** As libsystemd writes it. */
function cursorOf({ id, number, boot, monotonic, realtime, sum }: Parts): string {
	return `s=${id};i=${number.toString(16)};b=${boot};m=${monotonic.toString(16)};t=${realtime.toString(16)};x=${sum.toString(16)}`;
}

function read(point: CursorPoint, cursor: string): CursorPoint {
	const { written } = new TextEncoder().encodeInto(cursor, point.memory.bytes);
	point.read(written);
	return point;
}

test("CursorPoint.read() takes any cursor apart, whatever stood there before", () => {
	const point = new CursorPoint();
	fc.assert(
		fc.property(parts, (expected) => {
			const text = cursorOf(expected);
			read(point, text);
			expect({ ...point, text: point.text, sum: text.slice(point.sumAt) }).toMatchObject({
				text,
				id: expected.id,
				number: Number(expected.number),
				numberLength: expected.number.toString(16).length,
				boot: expected.boot,
				sum: expected.sum.toString(16),
			});
			expect(point.exact("monotonic")).toBe(expected.monotonic);
			expect(point.exact("realtime")).toBe(expected.realtime);
			if (expected.monotonic < 2n ** 53n) expect(point.monotonic).toBe(Number(expected.monotonic));
			if (expected.realtime < 2n ** 53n) expect(point.realtime).toBe(Number(expected.realtime));
			expect(parseCursor(text)).toMatchObject({ id: point.id, number: point.number, check: point.check });
		}),
	);
});

test("CursorPoint.read() tells entries of one number apart by their content", () => {
	fc.assert(
		fc.property(parts, fc.nat({ max: 63 }), (expected, bit) => {
			const other = { ...expected, sum: expected.sum ^ (1n << BigInt(bit)) };
			fc.pre(other.sum > 0n);
			expect(parseCursor(cursorOf(expected))?.check).not.toBe(parseCursor(cursorOf(other))?.check);
		}),
	);
});

test("parseCursor() refuses what is no cursor", () => {
	const cursor = "s=87ad9140f9f0436cb0f26de0d3bce795;i=1f;b=bdd640fb06671ad11c80317fa3b1799d;m=4c676e;t=63fb1299a5c2e;x=96ce08443c322224";
	expect(parseCursor(cursor)).toMatchObject({ number: 31 });
	for (const text of ["", "s=12;i=3;", `${cursor}@`, cursor.replace("i=1f", "i=10000000000000"), cursor.replace(";x=", ";y="), cursor.slice(0, 60)]) {
		expect(parseCursor(text)).toBeUndefined();
	}
});

test("EntryTime.isOf() compares both clocks and the boot, and knows nothing after clear()", () => {
	const point = new CursorPoint();
	const base: Parts = { id: "0".repeat(32), number: 1n, boot: "a".repeat(32), monotonic: 5n, realtime: 7n, sum: 9n };
	const time = new EntryTime();
	expect(time.isOf(read(point, cursorOf(base)))).toBe(true);
	time.set(read(point, cursorOf(base)));
	expect(time.isOf(read(point, cursorOf({ ...base, sum: 1n })))).toBe(true);
	for (const change of [{ realtime: 8n }, { monotonic: 6n }, { boot: "b".repeat(32) }]) {
		expect(time.isOf(read(point, cursorOf({ ...base, ...change })))).toBe(false);
	}
	time.clear();
	expect(time.isOf(read(point, cursorOf({ ...base, realtime: 8n })))).toBe(true);
});
