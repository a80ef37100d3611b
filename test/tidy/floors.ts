/** The rooms of src, lowest floor first. An import points to the same floor or to a lower one, never up; rooms of one floor form no cycle. */
export const floors: readonly (readonly string[])[] = [
	["base"],
	["event", "platform"],
	["ring", "spool", "config", "telemetry", "lane"],
	["collectors", "dataflow", "sinks", "bus"],
	["orchestrator"],
	["cli", "control"],
	["main.ts"],
];

/** Rooms whose folders never import each other: a member may import what lies directly in the room, and its own folder. */
export const roomsOfStrangers: readonly string[] = ["src/collectors", "src/sinks"];

/** Modules that only some places may name. A module ending in a slash stands for everything below it. The probe is compiled to try what a build holds. */
export const islands: readonly { readonly module: string; readonly places: readonly string[]; readonly instead: string }[] = [
	{ module: "bun:ffi", places: ["src/platform/ffi/", "test/support/embedded-probe.ts"], instead: "add a function to platform/ffi" },
	{ module: "@nats-io/", places: ["src/sinks/nats/", "test/", "scripts/"], instead: "go through sinks/nats" },
	{ module: "yaml", places: ["src/config/", "test/", "scripts/"], instead: "go through config" },
];

/** The floor of a file of src, or -1 where its room is not in the table. */
export function floorOf(path: string): number {
	const room = roomOf(path);
	return floors.findIndex((rooms) => rooms.includes(room));
}

/** `ring` for `src/ring/reader.ts`, `main.ts` for `src/main.ts`. */
export function roomOf(path: string): string {
	return path.split("/")[1] ?? "";
}
