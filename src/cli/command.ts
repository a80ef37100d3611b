import type { LoadedConfig } from "../config/load.ts";
import type { Terminal } from "../platform/console.ts";
import type { Surroundings } from "../platform/environment.ts";

/** One flag of a command. */
export interface FlagDefinition {
	/** With both dashes. */
	readonly name: string;
	/** One dash and a letter. */
	readonly short?: string;
	/** What stands for the value in help; without it the flag is a switch. */
	readonly value?: string;
	readonly repeatable?: boolean;
	readonly description: string;
	/** The key of the configuration that the flag sets. */
	readonly key?: readonly string[];
}

/** The arguments of a command, taken apart. */
export interface ParsedArguments {
	/** Values by the name of the flag with its dashes, in the order typed; a switch has the value "". */
	readonly flags: ReadonlyMap<string, readonly string[]>;
	readonly operands: readonly string[];
}

/** What a command is given. */
export interface CommandContext {
	readonly arguments: ParsedArguments;
	/** Every command there is, for help. */
	readonly commands: readonly CommandDefinition[];
	readonly terminal: Terminal;
	readonly surroundings: Surroundings;
}

/** One command: what help says of it, and where its code is. */
export interface CommandDefinition {
	readonly name: string;
	/** One line for the overview, without a full stop. */
	readonly summary: string;
	/** Paragraphs for `help COMMAND`. */
	readonly description: readonly string[];
	/** What may follow besides flags, as help writes it. */
	readonly operands?: string;
	readonly operandsMax: number;
	readonly flags: readonly FlagDefinition[];
	/** A command line and what it does. */
	readonly examples: readonly (readonly [line: string, meaning: string])[];
	/** Loads the code. Its `execute` returns the exit status. */
	load(): Promise<{ execute(context: CommandContext): Promise<number> }>;
}

/** What `run` starts from. */
export interface RunOptions {
	readonly loaded: LoadedConfig;
	readonly terminal: Terminal;
	readonly surroundings: Surroundings;
	/** The account at the end as JSON. */
	readonly json: boolean;
}
