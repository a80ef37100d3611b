import type { CollectorDefinition } from "../collector.ts";
import { ReadyDecoder } from "../ready-record.ts";
import { journalObstacle } from "./access.ts";
import { type SystemdConfig, systemdConfigSchema } from "./config.ts";

/** The systemd journal. */
export const systemdCollector: CollectorDefinition<SystemdConfig> = {
	name: "systemd",
	summary: "Every entry of the systemd journal, of all units or of some.",
	delivery: "replayable",
	host: "child",
	config: systemdConfigSchema,
	counters: [
		{ name: "own_unit", kind: "discarded", description: "Entries of the agent's own unit, left out so that it does not report itself." },
		{ name: "repeated", kind: "discarded", description: "Entries that stand at the end of one journal file and again at the start of the next." },
		{ name: "unreadable", kind: "dropped", description: "Entries that the journal's files hold in a damaged form." },
		{ name: "vacuumed", kind: "lost", description: "Entries that were removed from the journal before they were read." },
		{ name: "gap", kind: "derived", description: "Events that name such a removal." },
	],
	events: [
		{ type: "tapio.systemd.entry", description: "One entry of the journal, all its fields in `raw`." },
		{
			type: "tapio.systemd.gap",
			description: "Entries that were removed from the journal before they could be read, with their number where it is known.",
		},
	],
	async create(config) {
		const { JournalCollector } = await import("./collector.ts");
		return new JournalCollector(config);
	},
	createDecoder: async () => new ReadyDecoder(),
	async probe(config) {
		const { loadLibsystemd } = await import("../../platform/ffi/libsystemd.ts");
		try {
			loadLibsystemd();
		} catch {
			return "libsystemd is not installed: install the package libsystemd0 or systemd-libs";
		}
		return journalObstacle(config.path);
	},
};
