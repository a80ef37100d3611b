import { expect, test } from "bun:test";
import * as v from "valibot";
import { defaultUnits, parseStart, systemdConfigSchema } from "./config.ts";

test("parseStart() reads words and times with their zone", () => {
	for (const word of ["cursor", "head", "tail"] as const) expect(parseStart(word)).toBe(word);
	const at = Date.UTC(2026, 0, 2, 3, 4, 5);
	expect(parseStart("2026-01-02T03:04:05Z")).toEqual({ realtime: at });
	expect(parseStart("2026-01-02 03:04:05z")).toEqual({ realtime: at });
	expect(parseStart("2026-01-02T05:04:05.5+02:00")).toEqual({ realtime: at + 500 });
});

test("parseStart() refuses what is no time, or has no zone", () => {
	for (const text of ["", "Head", "yesterday", "2026-01-02", "2026-01-02T03:04:05", "2026-13-02T03:04:05Z", "2026-01-02T25:04:05Z", "1767322800"]) {
		expect(parseStart(text)).toBeUndefined();
	}
});

test("systemdConfigSchema is complete without a key, and names what is wrong with start", () => {
	const { poll_interval, ...others } = v.parse(systemdConfigSchema, {});
	expect(Number(poll_interval)).toBe(20);
	expect(others).toEqual({ units: [...defaultUnits], path: "", start: "cursor", exclude_own: true });
	const result = v.safeParse(systemdConfigSchema, { start: "soon" });
	expect(result.issues?.map(({ message }) => message)).toEqual(["must be cursor, head, tail or a time such as 2026-01-02T03:04:05Z"]);
});
