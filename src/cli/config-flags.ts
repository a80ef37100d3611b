import type { FlagDefinition } from "./command.ts";

/** Flags of every command that reads the configuration. */
export const configFlags: readonly FlagDefinition[] = [
	{
		name: "--config",
		short: "-c",
		value: "FILE",
		description: "Configuration file. Without it TAPIO_CONFIG names one. /etc/tapio/agent.yaml is read before it.",
	},
	{
		name: "--set",
		value: "KEY=VALUE",
		repeatable: true,
		description: "Sets any key, as in --set orchestrator.workers=8. Lists have commas. May be repeated.",
	},
	{ name: "--node", value: "NAME", description: "Sets orchestrator.node.", key: ["orchestrator", "node"] },
	{ name: "--nats-url", value: "URL", description: "Sets orchestrator.nats.url.", key: ["orchestrator", "nats", "url"] },
	{
		name: "--log-level",
		value: "LEVEL",
		description: "Sets orchestrator.log_level: debug, info, warn or error.",
		key: ["orchestrator", "log_level"],
	},
	{ name: "--state-dir", value: "FOLDER", description: "Sets orchestrator.state_dir.", key: ["orchestrator", "state_dir"] },
];
