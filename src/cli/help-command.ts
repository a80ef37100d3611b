import { commonFlags, usage } from "./arguments.ts";
import type { CommandContext, CommandDefinition, FlagDefinition } from "./command.ts";

/** Explains the agent, or one command. */
export async function execute({ arguments: { operands }, commands, terminal: { out } }: CommandContext): Promise<number> {
	const [name] = operands;
	const command = commands.find((known) => known.name === name);
	if (name !== undefined && command === undefined)
		throw usage(`there is no command "${name}"; there are ${commands.map((known) => known.name).join(", ")}`);
	const style = { colors: out.colors, width: Math.min(out.width, widthMax) };
	out.write(command === undefined ? overview(commands, style) : explain(command, style));
	return 0;
}

/** Longest line, however wide the terminal: longer ones are hard to read. */
const widthMax = 100;

/** How help is drawn. */
export interface HelpStyle {
	readonly colors: boolean;
	readonly width: number;
}

/** The first page: what this is, the commands, and examples to begin with. */
export function overview(commands: readonly CommandDefinition[], style: HelpStyle): string {
	const { heading, wrap, bold } = tools(style);
	const list = commands.map((command) => entry(command.name, command.summary, 11, style)).join("");
	const run = commands.find((command) => command.name === "run");
	const flags = [...(run?.flags ?? []), ...commonFlags];
	return [
		wrap(`${bold("tapio-agent")} turns what the kernel and the journal of this machine know into one ordered, accounted stream of events on NATS.`),
		`${heading("Usage")}  tapio-agent [COMMAND] [FLAGS]\n`,
		`${heading("Commands")}${list}`,
		`${heading("Flags of run")}${flagList(flags, style)}`,
		`${heading("Examples")}${examples(run?.examples ?? [], style)}`,
		wrap("tapio-agent help COMMAND explains a command, with examples."),
	].join("\n");
}

/** The page of one command. */
export function explain(command: CommandDefinition, style: HelpStyle): string {
	const { heading, wrap, bold } = tools(style);
	const line = ["tapio-agent", command.name, command.operands, "[FLAGS]"].filter((part) => part !== undefined).join(" ");
	const parts = [
		wrap(`${bold(`tapio-agent ${command.name}`)}: ${command.summary}.`),
		`${heading("Usage")}  ${line}\n`,
		...command.description.map(wrap),
	];
	parts.push(`${heading("Flags")}${flagList([...command.flags, ...commonFlags], style)}`);
	if (command.examples.length > 0) parts.push(`${heading("Examples")}${examples(command.examples, style)}`);
	return parts.join("\n");
}

function tools({ colors, width }: HelpStyle) {
	const bold = (text: string) => (colors ? `\x1b[1m${text}\x1b[0m` : text);
	return { bold, heading: (text: string) => `${bold(text)}\n`, wrap: (text: string) => `${wrapText(text, width, "")}\n` };
}

function flagList(flags: readonly FlagDefinition[], style: HelpStyle): string {
	return flags
		.map(({ name, short, value, description }) => {
			const names = short === undefined ? `    ${name}` : `${short}, ${name}`;
			return entry(value === undefined ? names : `${names} ${value}`, description, 26, style);
		})
		.join("");
}

function entry(name: string, text: string, column: number, { colors, width }: HelpStyle): string {
	const label = `  ${name.padEnd(column)}`;
	const shown = colors ? `  \x1b[36m${name}\x1b[0m${" ".repeat(Math.max(0, column - name.length))}` : label;
	const wrapped = wrapText(text, width - label.length - 1, " ".repeat(label.length + 1));
	return `${shown} ${wrapped}\n`;
}

function examples(list: CommandDefinition["examples"], { colors, width }: HelpStyle): string {
	const dim = (text: string) => (colors ? `\x1b[2m${text}\x1b[0m` : text);
	return list.map(([line, meaning]) => `  ${line}\n${dim(`      ${wrapText(meaning, width - 6, "      ")}`)}\n`).join("");
}

/** Breaks a text at blanks; every further line begins with `indent`. Escape sequences count nothing. */
export function wrapText(text: string, width: number, indent: string): string {
	const lines: string[] = [];
	let line = "";
	for (const word of text.split(" ")) {
		const longer = line === "" ? word : `${line} ${word}`;
		if (line !== "" && Bun.stringWidth(longer) > width) {
			lines.push(line);
			line = word;
		} else line = longer;
	}
	return [...lines, line].join(`\n${indent}`);
}
