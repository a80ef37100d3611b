import { writeFileSync } from "node:fs";
import type { TemporaryDirectory } from "./temporary-directory.ts";

/** What a test's configuration differs in. */
export interface NodeConfig {
	readonly natsUrl?: string;
	readonly node?: string;
	/** Keys of `orchestrator.nats`, `orchestrator` and `collectors.systemd.config` as YAML in flow style, without braces. */
	readonly nats?: string;
	readonly orchestrator?: string;
	/** Path of the journal; the systemd collector is off without it. */
	readonly journal?: string;
	readonly systemd?: string;
	/** Units of the filter, with commas; none by default, which means all. */
	readonly units?: string;
	/** Keys of `collectors.kernel.config`; the kernel collector is off without it. */
	readonly kernel?: string;
	/** Keys of `sinks.stdout`. */
	readonly stdout?: string;
}

/** Writes a configuration into the test's folder, beside the state, and returns the arguments that name it. */
export function writeNodeConfig(directory: TemporaryDirectory, config: NodeConfig): readonly string[] {
	const path = directory.join("node.yaml");
	const { natsUrl, journal, kernel, stdout } = config;
	const nats = natsUrl === undefined ? `enabled: false` : `url: "${natsUrl}", jetstream: { max_bytes: 256MiB }${more(config.nats)}`;
	const text = `orchestrator:
  node: ${JSON.stringify(config.node ?? "test")}
  state_dir: ${JSON.stringify(directory.join("state"))}
  health_check_interval: 1s
${(config.orchestrator ?? "").replace(/^(?=.)/gm, "  ")}
  nats: { ${nats} }
sinks: { stdout: { ${stdout ?? "enabled: false"} } }
collectors:
  systemd: { enabled: ${journal !== undefined}, config: { path: ${JSON.stringify(journal ?? "")}, units: [${config.units ?? ""}], start: head${more(config.systemd)} } }
  kernel: { enabled: ${kernel !== undefined}, config: { ${kernel ?? ""} } }
`;
	writeFileSync(path, text);
	return ["--config", path];
}

function more(keys: string | undefined): string {
	return keys === undefined ? "" : `, ${keys}`;
}
