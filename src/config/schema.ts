import * as v from "valibot";
import { logLevels } from "../telemetry/log.ts";
import { choice, duration, name, nonEmptyText, situationalToggle, whole } from "./fields.ts";
import { batchSchema, natsSchema, spoolSchema } from "./nats-schema.ts";

/** Names of collectors that a configuration may hold, in this build or in another one. */
export const knownCollectorNames = [
	"k8s",
	"kernel",
	"systemd",
	"cni",
	"etcd",
	"kubelet",
	"dns",
	"network",
	"process",
	"performance",
	"kmsg",
] as const;

/** Presets by the load a node has. */
export const profileNames = ["low", "medium", "high"] as const;

/** Most batches that await their acknowledgement at once. */
export const workersMax = 64;

const limits = v.pipe(
	v.strictObject({
		max_memory_mb: whole("Memory in MiB that the agent aims to stay below. The rings take at most a quarter of it.", 100, {
			least: 32,
			most: 65_536,
		}),
		max_cpu_milli: whole("Thousandths of one core that the agent aims to stay below.", 500, { least: 50, most: 256_000 }),
	}),
	v.description("What the agent may use of the machine, shared by all collectors."),
);

/** `orchestrator`: the agent as a whole. */
export const orchestratorSchema = v.pipe(
	v.strictObject({
		cluster: name("Name of the cluster, in the source of every event and where the subject says {cluster}.", "default"),
		node: name("Name of this node, in the subject and source of every event.", "", "the host name"),
		workers: whole(
			"Batches that await their acknowledgement at once over all sources, one per source. More helps where NATS is far away, not where CPU is short.",
			4,
			{
				least: 1,
				most: workersMax,
			},
		),
		buffer_size: whole("Events of 1 KiB that each collector may have waiting in its ring.", 10_000, { least: 100, most: 1_000_000 }),
		log_level: choice("Least severe message that is logged.", logLevels, "info"),
		profile: choice("Preset for a quiet, a usual or a busy node; any key given anywhere goes before it.", profileNames, "medium"),
		state_dir: nonEmptyText(
			"Folder for positions and the spool, private to one agent. A relative path starts at the working directory.",
			"/var/lib/tapio",
		),
		nats: v.optional(natsSchema, {}),
		batch: v.optional(batchSchema, {}),
		spool: v.optional(spoolSchema, {}),
		limits: v.optional(limits, {}),
		health_check_interval: duration("How often the health of every component is looked at.", "30s", { least: "1s", most: "1h" }),
		shutdown_timeout: duration(
			"How long a stop may take before what is left goes to the spool or stays with its source. Keep it below the 30 s of Kubernetes.",
			"20s",
			{
				least: "1s",
				most: "10m",
			},
		),
	}),
	v.description("The agent as a whole."),
);

const stdout = v.pipe(
	v.strictObject({
		enabled: situationalToggle("Prints every event.", "false; without a configuration file: true"),
		format: choice("pretty: one line per event for people; json: one CloudEvent per line.", ["pretty", "json"], "pretty"),
	}),
	v.description("Events on the standard output."),
);

/** `sinks`: where events go beside NATS. */
export const sinksSchema = v.pipe(v.strictObject({ stdout: v.optional(stdout, {}) }), v.description("Where events go beside NATS."));

/** What the configuration has to know of a collector. Every CollectorDefinition is one. */
export interface CollectorSection {
	readonly name: string;
	/** One sentence. */
	readonly summary: string;
	/** Checks and completes the `config` section. */
	readonly config: v.GenericSchema;
}

/** The schema of a whole file for a build with these collectors. */
export function agentSchema(collectors: readonly CollectorSection[]) {
	const sections: Record<string, v.GenericSchema> = {};
	for (const collector of collectors) sections[collector.name] = v.optional(collectorSchema(collector));
	return v.strictObject({
		orchestrator: v.optional(orchestratorSchema, {}),
		sinks: v.optional(sinksSchema, {}),
		collectors: v.optional(
			v.pipe(v.strictObject(sections), v.description("Where events come from. With a file only the collectors named here run.")),
			{},
		),
	});
}

function collectorSchema({ name, summary, config }: CollectorSection) {
	const enabled = situationalToggle(
		`Runs the collector ${name}.`,
		"true when the collector is named; without a configuration file: what the machine gives",
	);
	return v.pipe(v.strictObject({ enabled, config: v.optional(config, {}) }), v.description(summary));
}

/** The agent as a whole, as the orchestrator and its workers get it: bytes and milliseconds, nothing left open. */
export interface OrchestratorConfig extends Omit<v.InferOutput<typeof orchestratorSchema>, "nats"> {
	readonly nats: NatsConfig;
}

/** Where events are published. */
export interface NatsConfig extends Omit<v.InferOutput<typeof natsSchema>, "enabled" | "auth_enabled"> {
	readonly enabled: boolean;
	readonly auth_enabled: boolean;
}

/** Where events go beside NATS. */
export interface SinksConfig {
	readonly stdout: { readonly enabled: boolean; readonly format: "pretty" | "json" };
}

/** One collector of the configuration. */
export interface CollectorConfig {
	readonly enabled: boolean;
	/** True where a person named it: failing to open it is a matter of health. False where the agent only looks what the machine gives. */
	readonly named: boolean;
	/** Checked by the collector's own schema. */
	readonly config: unknown;
}

/** The whole configuration. Plain data: it survives JSON and postMessage. Holds secrets: never print it, see explainConfig. */
export interface AgentConfig {
	readonly orchestrator: OrchestratorConfig;
	readonly sinks: SinksConfig;
	/** Every collector of this build, by name. */
	readonly collectors: Readonly<Record<string, CollectorConfig>>;
	/** False where neither a user file nor a system file was read: then the collectors that the machine can give run. */
	readonly hasFile: boolean;
}

/** Does this collector run? False for a name that this build does not have. */
export function isCollectorEnabled(config: AgentConfig, name: string): boolean {
	return Object.hasOwn(config.collectors, name) && config.collectors[name]?.enabled === true;
}

/** The checked `config` section of a collector, undefined for a name that this build does not have. */
export function getCollectorConfig(config: AgentConfig, name: string): unknown {
	return Object.hasOwn(config.collectors, name) ? config.collectors[name]?.config : undefined;
}
