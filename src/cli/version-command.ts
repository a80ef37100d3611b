import { buildInfo } from "./build-info.ts";
import type { CommandContext } from "./command.ts";

/** Prints what this program is. */
export async function execute({ terminal, surroundings }: CommandContext): Promise<number> {
	const { version, commit, target, runtime } = buildInfo(surroundings);
	terminal.out.write(`tapio-agent ${version}\ncommit   ${commit}\ntarget   ${target}\nruntime  ${runtime}\n`);
	return 0;
}
