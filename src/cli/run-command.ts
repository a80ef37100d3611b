import type { CommandContext } from "./command.ts";
import { loadConfig } from "./load-config.ts";

/** Loads the configuration and runs the agent with it. */
export async function execute(context: CommandContext): Promise<number> {
	const loaded = await loadConfig(context);
	const { run } = await import("./run.ts");
	return run({ loaded, terminal: context.terminal, surroundings: context.surroundings, json: context.arguments.flags.has("--json") });
}
