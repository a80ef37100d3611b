import { configFileVariable } from "../config/environment-source.ts";
import { type FlagSetting, type LoadedConfig, type LoadRequest, loadYamlConfig, systemFilePath } from "../config/load.ts";
import { formatWarnings } from "../config/problems.ts";
import { readFileUpTo } from "../platform/environment.ts";
import { usage } from "./arguments.ts";
import type { CommandContext } from "./command.ts";
import { configFlags } from "./config-flags.ts";

/** The configuration that the flags, the variables and the files of this machine make; warnings go to the standard error. Throws ConfigError, or OperatingError "usage". */
export async function loadConfig(context: CommandContext): Promise<LoadedConfig> {
	const { collectorDefinitions } = await import("../collectors/registry.ts");
	const loaded = loadYamlConfig(loadRequest(context, collectorDefinitions));
	const { error } = context.terminal;
	if (loaded.warnings.length > 0) error.write(formatWarnings(loaded.warnings, error));
	return loaded;
}

/** What a command line asks to be loaded. */
export function loadRequest({ arguments: { flags, operands }, surroundings }: CommandContext, collectors: LoadRequest["collectors"]): LoadRequest {
	const [flagFile] = flags.get("--config") ?? [];
	const [operand] = operands;
	if (flagFile !== undefined && operand !== undefined) throw usage("name one file, with --config or behind the command");
	const variable = surroundings.variables[configFileVariable];
	const file = flagFile ?? operand ?? (variable === "" ? undefined : variable);
	if (file === "") throw usage("--config needs the path of a file");
	return {
		collectors,
		file,
		systemFile: systemFilePath,
		variables: surroundings.variables,
		flags: flagSettings(flags),
		hostName: surroundings.hostName,
		read: readFileUpTo,
	};
}

function flagSettings(flags: ReadonlyMap<string, readonly string[]>): FlagSetting[] {
	const settings: FlagSetting[] = [];
	for (const setting of flags.get("--set") ?? []) {
		const equals = setting.indexOf("=");
		if (equals <= 0) throw usage("--set needs a key and a value, as in --set orchestrator.workers=8");
		const key = setting.slice(0, equals).trim();
		settings.push({ flag: `--set ${key}`, path: key.split("."), text: setting.slice(equals + 1) });
	}
	// A flag of its own name says more than --set, so it comes last and wins.
	for (const { name, key } of configFlags) {
		for (const text of key === undefined ? [] : (flags.get(name) ?? [])) settings.push({ flag: name, path: key ?? [], text });
	}
	return settings;
}
