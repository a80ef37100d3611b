import { expect, test } from "bun:test";
import { createLog, type LogEntry, logLevels, silentLog } from "./log.ts";

test("createLog() hands on what is at or above its level", () => {
	for (const [index, level] of logLevels.entries()) {
		const entries: LogEntry[] = [];
		const log = createLog(level, "ring", (entry) => entries.push(entry));
		for (const each of logLevels) log[each]("A sentence.", { each });
		expect(entries.map((entry) => entry.level)).toEqual(logLevels.slice(index));
		expect(entries[0]).toEqual({ level, component: "ring", message: "A sentence.", fields: { each: level } });
	}
});

test("createLog() gives a child another name and the same level and writer", () => {
	const entries: LogEntry[] = [];
	const child = createLog("warn", "parent", (entry) => entries.push(entry)).child("child");
	child.info("Not written.");
	child.error("Written.");
	child.child("grandchild").warn("Too.");
	expect(entries.map(({ component, message, fields }) => ({ component, message, fields }))).toEqual([
		{ component: "child", message: "Written.", fields: {} },
		{ component: "grandchild", message: "Too.", fields: {} },
	]);
});

test("silentLog keeps nothing", () => {
	for (const level of logLevels) silentLog.child("x")[level]("Nobody hears it.");
});
