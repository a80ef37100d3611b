import { buildInfo } from "./build-info.ts";
import type { CommandContext } from "./command.ts";

/** Prints what this program is. */
export async function execute({ terminal, surroundings }: CommandContext): Promise<number> {
	const { version, commit, target, runtime } = buildInfo(surroundings);
	const { embeddedManifest } = await import("../platform/ffi/embedded.ts");
	const manifest = embeddedManifest();
	const carried =
		manifest === undefined || manifest.sources.length === 0 ? "" : `carries  ${manifest.sources.join(", ")}\nneeds    ${manifest.needs}\n`;
	terminal.out.write(`tapio-agent ${version}\ncommit   ${commit}\ntarget   ${target}\nruntime  ${runtime}\n${carried}`);
	return 0;
}
