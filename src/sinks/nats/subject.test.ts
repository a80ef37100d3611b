import { expect, test } from "bun:test";
import fc from "fast-check";
import { laneSubject, streamSubject, subjectCovers } from "./subject.ts";

const names = { cluster: "prod", node: "node-7", collector: "systemd" };
const text = fc.string({ unit: "grapheme", minLength: 1 });

test("laneSubject() puts node and collector behind a plain prefix", () => {
	expect(laneSubject("tapio.events", names)).toBe("tapio.events.node-7.systemd");
	expect(laneSubject("tapio.events", { ...names, node: "ip-10-0-0-1.eu-west-1" })).toBe("tapio.events.ip-10-0-0-1%2Eeu-west-1.systemd");
});

test("laneSubject() fills placeholders where they stand", () => {
	expect(laneSubject("tapio.{cluster}.x.{collector}.{node}", names)).toBe("tapio.prod.x.systemd.node-7");
	expect(laneSubject("tapio.{collector}", names)).toBe("tapio.systemd");
});

test("laneSubject() gives a subject of the same shape for every name", () => {
	fc.assert(
		fc.property(text, text, text, (cluster, node, collector) => {
			const subject = laneSubject("tapio.{cluster}.{node}.{collector}", { cluster, node, collector });
			expect(subject).toMatch(/^tapio(\.[A-Za-z0-9_%-]+){3}$/);
			expect(subject.split(".").slice(1).map(decodeURIComponent)).toEqual([cluster, node, collector]);
			expect(subjectCovers(streamSubject("tapio.{cluster}.{node}.{collector}"), subject)).toBe(true);
		}),
	);
});

test("laneSubject() refuses an empty name and a pattern that is no subject", () => {
	expect(() => laneSubject("tapio", { ...names, node: "" })).toThrow(/The node is empty/);
	for (const pattern of ["", ".", "a.", ".a", "a..b", "a b", "a.*", "a.>", "a.{other}", "$JS.API", "a\u0000b", "a\tb"]) {
		expect(() => laneSubject(pattern, names)).toThrow(/cannot be published to/);
	}
});

test("streamSubject() ends before the first placeholder", () => {
	expect(streamSubject("tapio.events")).toBe("tapio.events.>");
	expect(streamSubject("tapio.{cluster}.{node}")).toBe("tapio.>");
	expect(() => streamSubject("{cluster}.tapio")).toThrow(/begins with a placeholder/);
});

test("subjectCovers() compares filters as a server does", () => {
	const cases: readonly [filter: string, other: string, covers: boolean][] = [
		["a.>", "a.b", true],
		["a.>", "a.b.c", true],
		["a.>", "a", false],
		["a.>", "b.a", false],
		["a.*", "a.b", true],
		["a.*", "a.b.c", false],
		["a.*", "a.>", false],
		["a.*.c", "a.*.c", true],
		["a.b", "a.*", false],
		[">", "a.>", true],
		["a.b", "a.b", true],
		["a.b.c", "a.b", false],
	];
	for (const [filter, other, covers] of cases) expect(`${filter} ${other} ${subjectCovers(filter, other)}`).toBe(`${filter} ${other} ${covers}`);
});
