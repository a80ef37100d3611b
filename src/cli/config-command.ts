import { printable } from "../base/printable.ts";
import { type EffectiveValue, explainConfig } from "../config/explain.ts";
import { describeOrigin } from "../config/source-tree.ts";
import type { CommandContext } from "./command.ts";
import { loadConfig } from "./load-config.ts";
import { ringNote } from "./ring-note.ts";

/** Prints every effective value with its source, as YAML or as JSON. */
export async function execute(context: CommandContext): Promise<number> {
	const loaded = await loadConfig(context);
	const values = explainConfig(loaded);
	const { out } = context.terminal;
	if (context.arguments.flags.has("--json")) {
		const list = values.map(({ key, value, origin }) => ({ key, value, source: describeOrigin(origin) }));
		out.write(`${JSON.stringify(list, undefined, 2)}\n`);
		return 0;
	}
	const note = ringNote(loaded.config);
	out.write(`${formatValues(values, out.colors)}${note === undefined ? "" : `\n# ${note}\n`}`);
	return 0;
}

/** Column at which the sources stand, as far as the values leave room. */
const sourceColumn = 44;

/** The values as a YAML file that would give the same, each with its source as a comment. */
export function formatValues(values: readonly EffectiveValue[], colors: boolean): string {
	const paint = (code: string, text: string) => (colors ? `\x1b[${code}m${text}\x1b[0m` : text);
	let text = "";
	let previous: readonly string[] = [];
	for (const { key, value, origin } of values) {
		const path = key.split(".");
		const sections = path.slice(0, -1);
		let shared = 0;
		while (shared < sections.length && sections[shared] === previous[shared]) shared++;
		for (let depth = shared; depth < sections.length; depth++) text += `${"  ".repeat(depth)}${sections[depth]}:\n`;
		previous = sections;
		const indent = "  ".repeat(sections.length);
		const name = path.at(-1) ?? "";
		const plain = printable(value);
		const source = printable(describeOrigin(origin));
		const start = `${indent}${name}:${plain === "" ? "" : " "}`;
		const shown = origin.kind === "default" ? plain : paint("1", plain);
		text += `${start}${shown}${" ".repeat(Math.max(2, sourceColumn - start.length - plain.length))}${paint("2", `# ${source}`)}\n`;
	}
	return text;
}
