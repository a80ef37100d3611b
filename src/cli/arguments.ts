import { OperatingError } from "../base/errors.ts";
import { nearest } from "../base/nearest.ts";
import { printable } from "../base/printable.ts";
import type { CommandDefinition, FlagDefinition, ParsedArguments } from "./command.ts";

/** Flags that every command has. */
export const commonFlags: readonly FlagDefinition[] = [
	{ name: "--help", short: "-h", description: "Explains the command." },
	{ name: "--version", short: "-V", description: "Prints the version." },
];

/** Flags of the agent's forerunner, and what took their place. */
const retiredFlags: Readonly<Record<string, string>> = {
	"--enable-kernel": "name the collector in the configuration file, or --set collectors.kernel.enabled=true",
	"--enable-kubelet": "name the collector in the configuration file, or --set collectors.kubelet.enabled=true",
	"--enable-dns": "name the collector in the configuration file, or --set collectors.dns.enabled=true",
	"--kubelet-address": "--set collectors.kubelet.config.address=HOST:PORT, or the variable KUBELET_ADDRESS",
	"--buffer-size": "--set orchestrator.buffer_size=EVENTS",
	"--workers": "--set orchestrator.workers=NUMBER",
};

/** Takes the arguments behind the command apart: `--flag value`, `--flag=value`, `-f value`; `--` ends the flags. Throws OperatingError "usage". */
export function parseArguments(command: CommandDefinition, words: readonly string[]): ParsedArguments {
	const known = [...command.flags, ...commonFlags];
	const flags = new Map<string, string[]>();
	const operands: string[] = [];
	for (let index = 0; index < words.length; index++) {
		const word = words[index] ?? "";
		if (word === "--") {
			operands.push(...words.slice(index + 1));
			break;
		}
		if (!word.startsWith("-") || word === "-") {
			operands.push(word);
			continue;
		}
		const equals = word.startsWith("--") ? word.indexOf("=") : -1;
		const name = equals < 0 ? word : word.slice(0, equals);
		const flag = known.find((candidate) => candidate.name === name || candidate.short === name);
		if (flag === undefined) throw unknownFlag(name, command, known);
		let value = equals < 0 ? undefined : word.slice(equals + 1);
		if (flag.value === undefined && value !== undefined) throw usage(`${name} takes no value`, command);
		if (flag.value !== undefined && value === undefined) {
			index++;
			value = words[index];
			if (value === undefined) throw usage(`${name} needs a value: ${name} ${flag.value}`, command);
		}
		const values = flags.get(flag.name) ?? [];
		if (values.length > 0 && flag.value !== undefined && flag.repeatable !== true) throw usage(`${name} is given twice`, command);
		flags.set(flag.name, [...values, value ?? ""]);
	}
	const extra = operands[command.operandsMax];
	// Help is given however the rest of the line looks.
	if (extra !== undefined && !flags.has("--help")) throw unexpected(extra, command);
	return { flags, operands };
}

function unknownFlag(name: string, command: CommandDefinition, known: readonly FlagDefinition[]): OperatingError {
	const retired = Object.hasOwn(retiredFlags, name) ? retiredFlags[name] : undefined;
	if (retired !== undefined) return new OperatingError("usage", `${name} is no longer a flag`, { hint: `use ${retired}` });
	const near = nearest(
		name,
		[...known, { name: "--set" }].map((flag) => flag.name).filter((candidate) => known.some((flag) => flag.name === candidate)),
	);
	const suggestion = near === undefined ? "" : `; did you mean ${near}?`;
	return usage(`unknown flag ${printable(name)}${suggestion}`, command);
}

function unexpected(word: string, command: CommandDefinition): OperatingError {
	return usage(`unexpected argument "${printable(word)}"; a command comes before its flags`, command);
}

/** A wrong command line. The hint leads to the help of the command. */
export function usage(message: string, command?: CommandDefinition): OperatingError {
	const name = command === undefined || command.name === "run" ? "" : ` ${command.name}`;
	return new OperatingError("usage", message, { hint: `see tapio-agent help${name}` });
}
