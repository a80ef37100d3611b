import type { GenericSchema } from "valibot";
import { masked, maskSecrets, maskUrl } from "../base/mask.ts";
import { bytes, milliseconds } from "../base/units.ts";
import { leavesOf, notesOf, valueAt } from "./introspect.ts";
import type { LoadedConfig } from "./load.ts";
import { formatDuration, formatSize } from "./quantities.ts";
import { agentSchema, getCollectorConfig } from "./schema.ts";
import type { Origin } from "./source-tree.ts";

/** One key with its effective value, safe to show. */
export interface EffectiveValue {
	/** With dots. */
	readonly key: string;
	/** As it would be written in a file, secrets masked. */
	readonly value: string;
	readonly origin: Origin;
}

/** Every effective value and where it came from, in the order of the documentation. Secrets are masked. */
export function explainConfig(loaded: LoadedConfig): EffectiveValue[] {
	const { config, origins, collectors } = loaded;
	return leavesOf(agentSchema(collectors)).map(({ path, schema }) => {
		const key = path.join(".");
		const value = path[0] === "collectors" ? collectorValue(loaded, path) : valueAt(config, path);
		const { situation } = notesOf(schema);
		const unset: Origin | undefined = value === undefined && situation !== undefined ? { kind: "default", reason: situation } : undefined;
		return { key, value: formatValue(value, schema), origin: unset ?? originOf(key, path, origins.get(key), loaded) };
	});
}

/** The texts that must not appear in a log or an error: every secret of the configuration. For maskSecrets. */
export function secretValues(loaded: LoadedConfig): string[] {
	const secrets: string[] = [];
	for (const { path, schema } of leavesOf(agentSchema(loaded.collectors))) {
		const value = notesOf(schema).secret === true ? valueAt(loaded.config, path) : undefined;
		if (typeof value === "string" && value !== "") secrets.push(value);
	}
	return secrets;
}

function originOf(key: string, path: readonly string[], origin: Origin | undefined, { config }: LoadedConfig): Origin {
	const byDefault = (reason: string): Origin => ({ kind: "default", reason });
	if (origin !== undefined) return origin;
	if (key === "orchestrator.node") return byDefault("the host name");
	if (key === "orchestrator.nats.auth_enabled" && config.orchestrator.nats.auth_enabled) return byDefault("credentials are given");
	const collector = path[0] === "collectors" && path[2] === "enabled" ? config.collectors[path[1] ?? ""] : undefined;
	if (collector !== undefined && config.hasFile) return byDefault(collector.named ? "it is named" : "it is not named");
	const situational = collector !== undefined || key === "orchestrator.nats.enabled" || key === "sinks.stdout.enabled";
	return situational && !config.hasFile ? byDefault("no configuration file") : { kind: "default" };
}

function collectorValue({ config }: LoadedConfig, path: readonly string[]): unknown {
	const [, name = "", part, ...rest] = path;
	if (part === "enabled") return config.collectors[name]?.enabled;
	return valueAt(getCollectorConfig(config, name), rest);
}

/** A value as a file would hold it. */
export function formatValue(value: unknown, schema: GenericSchema): string {
	const notes = notesOf(schema);
	if (value === undefined) return "";
	if (Array.isArray(value)) return `[${value.map((item) => formatValue(item, schema)).join(", ")}]`;
	if (typeof value === "number" && notes.quantity === "size") return formatSize(bytes(value));
	if (typeof value === "number" && notes.quantity === "duration") return formatDuration(milliseconds(value));
	if (typeof value !== "string") return JSON.stringify(value);
	if (value === "") return '""';
	if (notes.secret === true) return JSON.stringify(masked);
	const clean = notes.url === true ? maskUrl(value) : maskSecrets(value);
	return /^[\w./@%+*-][\w./@%+*{}:-]*$/.test(clean) && !/^(true|false|null|~|-?[\d.]+)$/i.test(clean) ? clean : JSON.stringify(clean);
}
