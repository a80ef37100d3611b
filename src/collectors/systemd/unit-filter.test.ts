import { expect, test } from "bun:test";
import { type EntryFields, readWithJournalctl, writeJournal } from "../../../test/support/journal-files.ts";
import { JournalReader } from "../../../test/support/journal-reader.ts";
import { testNeeding } from "../../../test/support/requires.ts";
import { temporaryDirectory } from "../../../test/support/temporary-directory.ts";
import { unitName } from "./unit-filter.ts";

test("unitName() adds the suffix of a service where no type is named", () => {
	expect(["kubelet", "kubelet.service", "dbus.socket", "getty@tty1", "a.b", "user.slice", "x.timer"].map(unitName)).toEqual([
		"kubelet.service",
		"kubelet.service",
		"dbus.socket",
		"getty@tty1.service",
		"a.b.service",
		"user.slice",
		"x.timer",
	]);
});

/** The ways in which an entry can belong to a unit, and the ways in which it only seems to. */
const entries: readonly EntryFields[] = [
	[["_SYSTEMD_UNIT", "a.service"]],
	[["_SYSTEMD_UNIT", "b.service"]],
	[["_SYSTEMD_UNIT", "aa.service"]],
	[
		["_PID", "1"],
		["UNIT", "a.service"],
	],
	[
		["_PID", "2"],
		["UNIT", "a.service"],
	],
	[
		["_UID", "0"],
		["OBJECT_SYSTEMD_UNIT", "a.service"],
	],
	[
		["_UID", "1000"],
		["OBJECT_SYSTEMD_UNIT", "a.service"],
	],
	[
		["MESSAGE_ID", "fc2e22bc6ee647b6b90729ab34a250b1"],
		["_UID", "0"],
		["COREDUMP_UNIT", "a.service"],
	],
	[
		["MESSAGE_ID", "fc2e22bc6ee647b6b90729ab34a250b2"],
		["_UID", "0"],
		["COREDUMP_UNIT", "a.service"],
	],
	[
		["_SYSTEMD_UNIT", "b.service"],
		["OBJECT_SYSTEMD_UNIT", "a.service"],
		["_UID", "0"],
	],
	[["_SYSTEMD_UNIT", "c.socket"]],
	[["MESSAGE", "of nobody"]],
];

testNeeding(["journal"], "filterByUnits() lets through what journalctl --unit prints", async () => {
	using directory = temporaryDirectory();
	await writeJournal(
		directory.path,
		entries.map((fields, index) => [...fields, ["TAPIO_SEQ", String(index)]]),
	);
	for (const units of [["a"], ["a.service", "b"], ["c.socket"], ["none-such"], ["b.service", "c.socket", "a"]]) {
		const options = units.flatMap((unit) => ["--unit", unitName(unit)]);
		const expected = (await readWithJournalctl(directory.path, ...options)).map((entry) => Number(entry["TAPIO_SEQ"]));
		using reader = new JournalReader(directory.path, { config: { units } }).start().readAll();
		expect({ units, numbers: reader.numbers }).toEqual({ units, numbers: expected });
		if (!units.includes("none-such")) expect(expected.length).toBeGreaterThan(0);
	}
});
