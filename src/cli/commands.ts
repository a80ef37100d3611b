import type { CommandDefinition } from "./command.ts";
import { configFlags } from "./config-flags.ts";

/** Every command, in the order of the overview. `run` is meant where none is named. */
export const commands: readonly CommandDefinition[] = [
	{
		name: "run",
		summary: "Runs the agent until it is stopped; this is what happens without a command",
		description: [
			"Reads the configuration, opens what it names and publishes every event. SIGTERM or Ctrl-C stops it in order: sources first, then what is on its way; a second signal ends it at once.",
			"Without any configuration file the agent opens what this machine can give, prints the events on the terminal and says what it could not open and why.",
		],
		operandsMax: 0,
		flags: [...configFlags, { name: "--json", description: "Prints the account at the end as one line of JSON instead of a table." }],
		examples: [
			["tapio-agent", "shows what this machine does, on the terminal"],
			["tapio-agent --config /etc/tapio/node.yaml", "runs with a configuration file"],
			["tapio-agent -c node.yaml --nats-url nats://nats:4222 --set orchestrator.batch.compression=zstd", "the same with two keys set for this run"],
		],
		load: () => import("./run-command.ts"),
	},
	{
		name: "status",
		summary: "Shows whether the agent of this node runs, its health and its accounts",
		description: [
			"Reads what the agent writes into its state folder every health_check_interval, when a lane opens and at its end: the health of every component, what this run moved, and what all runs moved together. It asks nobody and changes nothing.",
			"The exit status is 0 where the agent runs and no component is unhealthy, and 1 otherwise.",
		],
		operandsMax: 0,
		flags: [...configFlags, { name: "--json", description: "Prints one line of JSON with running, run, health, restarts and collectors." }],
		examples: [
			["tapio-agent status --config /etc/tapio/node.yaml", "shows the agent that runs with this file"],
			["tapio-agent status --json | jq .collectors.systemd.total.published", "how many entries were ever published"],
		],
		load: () => import("./status-command.ts"),
	},
	{
		name: "validate",
		summary: "Checks a configuration and names everything wrong with it at once",
		description: [
			"Reads the configuration as run would, with the variables of this environment, and opens nothing. The exit status is 0 for a right configuration and 78 for a wrong one.",
		],
		operands: "[FILE]",
		operandsMax: 1,
		flags: configFlags,
		examples: [
			["tapio-agent validate --config node.yaml", "checks a file"],
			["NATS_URL=nats://nats:4222 tapio-agent validate node.yaml", "the same with a variable that the file refers to"],
		],
		load: () => import("./validate-command.ts"),
	},
	{
		name: "config",
		summary: "Prints every effective value and where it came from",
		description: [
			"Prints the configuration as run would use it. Behind every key stands where its value came from: a file with its line, a variable, a flag, a profile, or the default. Secrets are masked.",
			"Flags go before variables, variables before the file of --config, that before /etc/tapio/agent.yaml, that before the profile, and that before the defaults. The variable for a key is TAPIO_ and the key in capitals, sections joined by __: TAPIO_ORCHESTRATOR__WORKERS.",
		],
		operandsMax: 0,
		flags: [
			...configFlags,
			{ name: "--print", description: "Prints the values; the same as no flag at all." },
			{ name: "--json", description: "Prints a JSON array of { key, value, source }." },
		],
		examples: [
			["tapio-agent config --print --config node.yaml", "shows the values of a file completed by the defaults"],
			["tapio-agent config --json | jq '.[] | select(.source != \"default\")'", "shows only what somebody has set"],
		],
		load: () => import("./config-command.ts"),
	},
	{
		name: "spool",
		summary: "Shows what is in the spool, the buffer on disk, and what is damaged",
		description: [
			"Reads every segment of every lane below DIR to its end and shows its batches: how many, their numbers and sequences, when they were appended. DIR is the folder of orchestrator.state_dir, the folder spool in it, or that of one lane.",
			"Damage is shown with its place, the bytes that are skipped and what is lost with them. Nothing is changed, and an agent may be at work in the folder: what it is just writing shows as torn. The exit status is 0, and 1 where something is damaged.",
		],
		operands: "inspect DIR",
		operandsMax: 2,
		flags: [{ name: "--json", description: "Prints a JSON array with one object a lane." }],
		examples: [
			["tapio-agent spool inspect /var/lib/tapio", "shows the spools of the agent of this machine"],
			[
				"tapio-agent spool inspect /var/lib/tapio --json | jq '.[] | {lane: .lane.name, left, lost}'",
				"shows what is still to be sent, and what is lost",
			],
		],
		load: () => import("./spool-command.ts"),
	},
	{
		name: "schema",
		summary: "Prints the JSON Schema of the configuration file, for editors",
		description: ["Editors with a YAML language server complete and check the file as it is written, with the schema named in its first line."],
		operandsMax: 0,
		flags: [],
		examples: [
			["tapio-agent schema > tapio.schema.json", "writes the schema; then begin the file with: # yaml-language-server: $schema=tapio.schema.json"],
		],
		load: () => import("./schema-command.ts"),
	},
	{
		name: "version",
		summary: "Prints the version, the commit, what it was built for and the runtime inside",
		description: [],
		operandsMax: 0,
		flags: [],
		examples: [],
		load: () => import("./version-command.ts"),
	},
	{
		name: "help",
		summary: "Explains the agent, or one command",
		description: [],
		operands: "[COMMAND]",
		operandsMax: 1,
		flags: [],
		examples: [["tapio-agent help config", "explains the command config"]],
		load: () => import("./help-command.ts"),
	},
];

/** The command of a name; undefined where there is none. */
export function findCommand(name: string): CommandDefinition | undefined {
	return commands.find((command) => command.name === name);
}
