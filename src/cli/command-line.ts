import { describeError, OperatingError } from "../base/errors.ts";
import { maskSecrets } from "../base/mask.ts";
import { nearest } from "../base/nearest.ts";
import { printable } from "../base/printable.ts";
import { ConfigError, exitStatusConfig, formatProblems } from "../config/problems.ts";
import { processTerminal, type Terminal } from "../platform/console.ts";
import type { Surroundings } from "../platform/environment.ts";
import { parseArguments, usage } from "./arguments.ts";
import type { CommandContext, CommandDefinition } from "./command.ts";
import { commands, findCommand } from "./commands.ts";

/** Exit status of a wrong command line (sysexits.h, EX_USAGE). */
export const exitStatusUsage = 64;
/** Exit status of a defect of the agent itself (sysexits.h, EX_SOFTWARE). */
const exitStatusSoftware = 70;

/** Runs the command that the arguments name and resolves with the exit status. Never rejects: what went wrong is on the standard error. */
export async function runCommandLine(surroundings: Surroundings, terminal: Terminal = processTerminal(surroundings.variables)): Promise<number> {
	try {
		return await dispatch(surroundings, terminal);
	} catch (error) {
		return report(error, terminal);
	}
}

async function dispatch(surroundings: Surroundings, terminal: Terminal): Promise<number> {
	const [first, ...rest] = surroundings.arguments;
	const named = first !== undefined && !first.startsWith("-");
	const command = named ? findCommand(first) : findCommand("run");
	if (command === undefined) throw unknownCommand(first ?? "");
	const parsed = parseArguments(command, named ? rest : surroundings.arguments);
	let chosen: CommandDefinition = command;
	let context: CommandContext = { arguments: parsed, commands, terminal, surroundings };
	if (parsed.flags.has("--help")) {
		chosen = findCommand("help") ?? command;
		context = { ...context, arguments: { flags: new Map(), operands: named ? [command.name] : [] } };
	} else if (parsed.flags.has("--version")) chosen = findCommand("version") ?? command;
	const { execute } = await chosen.load();
	return await execute(context);
}

function unknownCommand(name: string): OperatingError {
	const near = nearest(
		name,
		commands.map((command) => command.name),
	);
	if (near !== undefined) return usage(`unknown command "${printable(name)}"; did you mean ${near}?`);
	const file = /\.ya?ml$|\//.test(name) ? `; a configuration file is named with --config ${printable(name)}` : "";
	return usage(`unknown command "${printable(name)}"${file}`);
}

/** Tells a person what went wrong and returns the exit status for it. */
function report(error: unknown, { error: output }: Terminal): number {
	if (error instanceof OperatingError && error.code === "output_closed") return 0;
	const paint = (code: string, text: string) => (output.colors ? `\x1b[${code}m${text}\x1b[0m` : text);
	const title = `${paint("1", "tapio-agent")}: `;
	if (error instanceof ConfigError) {
		output.write(title + formatProblems(error, { colors: output.colors, excerpts: output.isTerminal, width: output.width }));
		return exitStatusConfig;
	}
	if (error instanceof OperatingError && error.code === "usage") {
		output.write(`${title}${maskSecrets(error.message)}\n${error.hint === undefined ? "" : `  ${paint("36", "hint:")} ${error.hint}\n`}`);
		return exitStatusUsage;
	}
	if (error instanceof OperatingError) {
		output.write(`${title}${maskSecrets(describeError(error))}\n`);
		return 1;
	}
	const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
	output.write(`${title}this is a defect of the agent\n${maskSecrets(stack)}\n`);
	return exitStatusSoftware;
}
