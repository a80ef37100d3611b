import { maskUrl } from "../base/mask.ts";
import { printable } from "../base/printable.ts";
import type { LoadedConfig } from "../config/load.ts";
import { usage } from "./arguments.ts";
import type { CommandContext } from "./command.ts";
import { loadConfig } from "./load-config.ts";
import { ringNote } from "./ring-note.ts";

/** Checks the configuration and says in a few lines what it does. */
export async function execute(context: CommandContext): Promise<number> {
	const loaded = await loadConfig(context);
	if (loaded.files.length === 0) throw usage("there is no file to check: name one with --config");
	const { out } = context.terminal;
	const mark = out.colors ? "\x1b[32m✓\x1b[0m" : "✓";
	out.write(`${mark} ${loaded.files.map(printable).join(" and ")} ${loaded.files.length === 1 ? "is" : "are"} valid\n${summarize(loaded)}`);
	return 0;
}

/** What a configuration does, in a few lines. */
export function summarize(loaded: LoadedConfig): string {
	const { orchestrator, sinks, collectors } = loaded.config;
	const { nats } = orchestrator;
	const names = (wanted: boolean) => Object.keys(collectors).filter((name) => collectors[name]?.enabled === wanted);
	const urls = typeof nats.url === "string" ? [nats.url] : nats.url;
	const targets: string[] = [];
	if (nats.enabled) {
		const stream = nats.jetstream.enabled ? `stream ${nats.jetstream.stream}` : "plain, without acknowledgements";
		targets.push(`NATS ${urls.map(maskUrl).join(", ")}, subject ${nats.subject}, ${stream}`);
	}
	if (sinks.stdout.enabled) targets.push(`the standard output, ${sinks.stdout.format}`);
	const lines: [string, string][] = [
		["node", `${orchestrator.node} in cluster ${orchestrator.cluster}`],
		["collectors", names(true).join(", ") || "none"],
		["sends to", targets.join("; ")],
	];
	const off = names(false);
	if (off.length > 0) lines.splice(2, 0, ["not running", off.join(", ")]);
	const note = ringNote(loaded.config);
	if (note !== undefined) lines.push(["note", note]);
	return lines.map(([label, text]) => `  ${label.padEnd(12)} ${printable(text)}\n`).join("");
}
