import * as v from "valibot";
import { assert } from "../base/assert.ts";
import { keepAvailable } from "./available.ts";
import { credentialMethods, doubts, relationProblems } from "./checks.ts";
import { parseEnvironment } from "./environment-source.ts";
import type { Variables } from "./expand.ts";
import { issueProblems } from "./issues.ts";
import { ConfigError, type Problem } from "./problems.ts";
import { profileSource } from "./profiles.ts";
import { type ReadFile, readConfigFile } from "./read-file.ts";
import { type Resolved, resolveSource } from "./resolve.ts";
import { type AgentConfig, agentSchema, type CollectorConfig, type CollectorSection, profileNames } from "./schema.ts";
import { emptySection, entryAt, type Origin, overlay, type SourceSection, sectionAt } from "./source-tree.ts";

/** Read before the user's file, where it exists. */
export const systemFilePath = "/etc/tapio/agent.yaml";

/** One value from the command line. */
export interface FlagSetting {
	/** As typed, for messages: `--node`, `--set orchestrator.node`. */
	readonly flag: string;
	readonly path: readonly string[];
	readonly text: string;
}

/** Everything a configuration is made from. */
export interface LoadRequest {
	/** The collectors of this build. */
	readonly collectors: readonly CollectorSection[];
	/** The user's file, which must exist. */
	readonly file?: string | undefined;
	/** The system's file, which may be missing; undefined to read none. */
	readonly systemFile?: string | undefined;
	readonly variables: Variables;
	readonly flags?: readonly FlagSetting[];
	/** Stands for an empty orchestrator.node. */
	readonly hostName: string;
	readonly read: ReadFile;
}

/** A configuration that is right, and where each value came from. */
export interface LoadedConfig {
	readonly config: AgentConfig;
	/** Files that were read, the system's first. */
	readonly files: readonly string[];
	/** By key with dots; what is not in here is a default. */
	readonly origins: ReadonlyMap<string, Origin>;
	readonly collectors: readonly CollectorSection[];
	/** What is allowed but hardly meant. */
	readonly warnings: readonly Problem[];
}

/**
 * Reads and checks the whole configuration: defaults, profile, system file, user file, environment, flags, each over the one before. Throws
 * {@link ConfigError} with every problem at once.
 */
export function loadYamlConfig(request: LoadRequest): LoadedConfig {
	const outcome = evaluate(request);
	if (outcome.loaded === undefined || outcome.problems.length > 0) throw new ConfigError(inReadingOrder(outcome.problems), outcome.texts);
	return outcome.loaded;
}

/** The same without throwing: every problem, none where the configuration is right. */
export function validateYamlConfig(request: LoadRequest): readonly Problem[] {
	return inReadingOrder(evaluate(request).problems);
}

interface Outcome {
	readonly loaded: LoadedConfig | undefined;
	readonly problems: readonly Problem[];
	readonly texts: ReadonlyMap<string, string>;
}

function evaluate(request: LoadRequest): Outcome {
	const problems: Problem[] = [];
	const texts = new Map<string, string>();
	const schema = agentSchema(request.collectors);
	let root = emptySection({ kind: "default" });
	const files: string[] = [];
	for (const [path, required] of [[request.systemFile, false] as const, [request.file, true] as const]) {
		const source = path === undefined || files.includes(path) ? undefined : readConfigFile(path, request.read, required);
		if (path === undefined || source === undefined) continue;
		files.push(path);
		texts.set(path, source.text);
		problems.push(...source.problems);
		root = overlay({ below: root, above: source.root, schema });
	}
	const unreadable = problems.length > 0;
	const environment = parseEnvironment(request.variables, schema);
	problems.push(...environment.problems);
	root = overlay({ below: root, above: environment.root, schema });
	for (const { flag, path, text } of request.flags ?? [])
		root = overlay({ below: root, above: sectionAt(path, text, { kind: "flag", flag }), schema });

	const available = keepAvailable(root, request.collectors, request.variables);
	problems.push(...available.problems);
	root = overlay({ below: profileSource(profileOf(available.root, request.variables)), above: available.root, schema });
	const resolved = resolveSource(root, schema, request.variables);
	problems.push(...resolved.problems);
	const parsed = v.safeParse(schema, resolved.value);
	if (!parsed.success) problems.push(...issueProblems(parsed.issues, root, schema, resolved));
	if (!parsed.success || unreadable) return { loaded: undefined, problems, texts };
	const config = settle(parsed.output, root, request, files.length > 0);
	if (problems.length === 0) problems.push(...relationProblems(config, root));
	const origins = new Map(resolved.origins);
	// Empty text was given, and the host name took its place.
	if (parsed.output.orchestrator.node.trim() === "") origins.delete("orchestrator.node");
	return {
		loaded: { config, files, origins, collectors: request.collectors, warnings: doubts(config, root, schema, resolved.value) },
		problems,
		texts,
	};
}

function profileOf(root: SourceSection, variables: Variables): string {
	const profile = entryAt(root, ["orchestrator", "profile"]);
	if (profile === undefined) return "medium";
	const only: SourceSection = { kind: "section", origin: root.origin, entries: new Map([["profile", profile]]) };
	const { value }: Resolved = resolveSource(only, v.strictObject({ profile: v.optional(v.picklist(profileNames)) }), variables);
	return v.is(v.object({ profile: v.string() }), value) ? value.profile : "medium";
}

/** Decides what the schema leaves open, because it depends on other keys. */
function settle(parsed: v.InferOutput<ReturnType<typeof agentSchema>>, root: SourceSection, request: LoadRequest, hasFile: boolean): AgentConfig {
	const { orchestrator, sinks } = parsed;
	const { nats } = orchestrator;
	const natsGiven = entryAt(root, ["orchestrator", "nats"]) !== undefined;
	const collectors: Record<string, CollectorConfig> = {};
	for (const { name, config } of request.collectors) {
		const named = entryAt(root, ["collectors", name]) !== undefined;
		collectors[name] = collectorConfig(parsed.collectors[name], config, named, named || !hasFile);
	}
	return {
		orchestrator: {
			...orchestrator,
			node: orchestrator.node.trim() === "" ? request.hostName : orchestrator.node,
			nats: { ...nats, enabled: nats.enabled ?? (hasFile || natsGiven), auth_enabled: nats.auth_enabled ?? credentialMethods(nats).length > 0 },
		},
		sinks: { stdout: { ...sinks.stdout, enabled: sinks.stdout.enabled ?? !hasFile } },
		collectors,
		hasFile,
	};
}

const section = v.object({ enabled: v.optional(v.boolean()), config: v.unknown() });

function collectorConfig(parsed: unknown, schema: v.GenericSchema, named: boolean, enabledByDefault: boolean): CollectorConfig {
	const given = v.is(section, parsed) ? parsed : undefined;
	if (given !== undefined) return { enabled: given.enabled ?? enabledByDefault, named, config: given.config };
	const completed = v.safeParse(schema, {});
	assert(completed.success, "the defaults of a collector satisfy its own schema");
	return { enabled: enabledByDefault, named, config: completed.output };
}

/** File by file from top to bottom, then variables and flags. */
function inReadingOrder(problems: readonly Problem[]): Problem[] {
	const rank = ({ origin }: Problem): [string, number, number] =>
		origin.kind === "file" ? [`0${origin.path}`, origin.line, origin.column] : [origin.kind, 0, 0];
	return problems.toSorted((left, right) => {
		const [leftPlace, leftLine, leftColumn] = rank(left);
		const [rightPlace, rightLine, rightColumn] = rank(right);
		if (leftPlace !== rightPlace) return leftPlace < rightPlace ? -1 : 1;
		return leftLine - rightLine || leftColumn - rightColumn;
	});
}
