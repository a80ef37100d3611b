import { expect, test } from "bun:test";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { journalObstacle, journalView, parseOwnUnit, partialObstacle } from "./access.ts";

const machine = "1c80317fa3b1799dbdd640fb06671ad1";

test("journalObstacle() finds nothing where a journal can be read, in the directory itself or in a machine's folder", () => {
	using directory = temporaryDirectory();
	expect(journalObstacle(directory.path)).toBe(`the journal directory ${directory.path} holds no *.journal files yet`);
	mkdirSync(directory.join(machine));
	mkdirSync(directory.join("not-a-machine"));
	writeFileSync(directory.join("not-a-machine", "system.journal"), "");
	expect(journalObstacle(directory.path)).toContain("holds no *.journal files yet");
	writeFileSync(directory.join(machine, "system@1.journal~"), "");
	expect(journalObstacle(directory.path)).toBeUndefined();
	expect(partialObstacle(directory.path)).toBeUndefined();
});

test("journalObstacle() tells a directory that is not there from one that is a file", () => {
	using directory = temporaryDirectory();
	writeFileSync(directory.join("file"), "");
	for (const name of ["none", "file"]) {
		expect(journalObstacle(directory.join(name))).toBe(
			`cannot list the journal directory ${directory.join(name)}: check that it exists and that the agent may read it`,
		);
	}
});

test("journalView() changes when a directory appears, vanishes or is made anew", () => {
	using directory = temporaryDirectory();
	const path = directory.join("journal");
	const views = [journalView(path)];
	mkdirSync(path);
	views.push(journalView(path));
	mkdirSync(`${path}/${machine}`);
	views.push(journalView(path));
	renameSync(`${path}/${machine}`, directory.join("aside"));
	mkdirSync(`${path}/${machine}`);
	views.push(journalView(path));
	expect(new Set(views).size).toBe(views.length);
	writeFileSync(`${path}/${machine}/system.journal`, "");
	expect(journalView(path)).toBe(views.at(-1) ?? "");
});

test("parseOwnUnit() finds the service in the unified and in the named hierarchy", () => {
	expect(parseOwnUnit("0::/system.slice/tapio-agent.service\n")).toBe("tapio-agent.service");
	expect(parseOwnUnit("12:pids:/x.service\n1:name=systemd:/system.slice/tapio-agent.service\n0::/\n")).toBe("tapio-agent.service");
	// In a unit's own sub-group the nearest service counts.
	expect(parseOwnUnit("0::/user.slice/user@1000.service/app.slice/tapio.service/payload\n")).toBe("tapio.service");
	expect(parseOwnUnit("0::/user.slice/session-1.scope\n")).toBeUndefined();
	expect(parseOwnUnit("nonsense")).toBeUndefined();
	expect(parseOwnUnit("")).toBeUndefined();
});
