import { expect, test } from "bun:test";
import fc from "fast-check";
import { bytes, milliseconds } from "../base/units.ts";
import { formatDuration, formatSize, parseDuration, parseSize } from "./quantities.ts";

test("parseSize() reads decimal and binary units", () => {
	const sizes: [string, number][] = [
		["512KiB", 524_288],
		["10GiB", 10 * 2 ** 30],
		["100MB", 100_000_000],
		["1.5MiB", 1_572_864],
		["7B", 7],
		["3kB", 3000],
		["2 mib", 2 ** 21],
		["0", 0],
	];
	for (const [text, size] of sizes) expect(parseSize(text)).toBe(bytes(size));
});

test("parseSize() asks for the unit, and knows which one was meant", () => {
	expect(() => parseSize("512")).toThrow("has no unit: write 512KiB, 512MiB or 512B");
	expect(() => parseSize("512K")).toThrow('has an unknown unit "K": write 512KiB');
	expect(() => parseSize("1Gi")).toThrow('has an unknown unit "Gi"');
	for (const text of ["", "KiB", "-1KiB", "1e3KiB", "1.2345KiB", "0x10B", "1 2KiB", "9".repeat(70)])
		expect(() => parseSize(text)).toThrow("expects a size");
	expect(() => parseSize("99999999TiB")).toThrow("is too large");
});

test("parseDuration() reads one unit or several from large to small", () => {
	const durations: [string, number][] = [
		["50ms", 50],
		["30s", 30_000],
		["2m", 120_000],
		["1h30m", 5_400_000],
		["72h", 259_200_000],
		["7d", 604_800_000],
		["1.5s", 1500],
		["1m30s500ms", 90_500],
		["0", 0],
	];
	for (const [text, duration] of durations) expect(parseDuration(text)).toBe(milliseconds(duration));
});

test("parseDuration() refuses what it could only guess", () => {
	expect(() => parseDuration("50")).toThrow("has no unit: write 50s or 50ms");
	expect(() => parseDuration("30m1h")).toThrow("from large to small");
	expect(() => parseDuration("1s1s")).toThrow("from large to small");
	for (const text of ["", "s", "-1s", "1 s", "1sec", "1M", "1h 30m", "∞"]) expect(() => parseDuration(text)).toThrow("expects a duration");
});

test("formatSize() writes what parseSize() reads", () => {
	fc.assert(fc.property(fc.oneof(fc.nat(), fc.maxSafeNat()), (size) => expect(parseSize(formatSize(bytes(size)))).toBe(bytes(size))));
	expect(formatSize(bytes(524_288))).toBe("512KiB");
	expect(formatSize(bytes(100_000_000))).toBe("100MB");
});

test("formatDuration() writes what parseDuration() reads", () => {
	fc.assert(
		fc.property(fc.oneof(fc.nat(), fc.maxSafeNat()), (duration) =>
			expect(parseDuration(formatDuration(milliseconds(duration)))).toBe(milliseconds(duration)),
		),
	);
	expect(formatDuration(milliseconds(259_200_000))).toBe("72h");
	expect(formatDuration(milliseconds(5_400_000))).toBe("1h30m");
});
