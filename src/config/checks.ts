import type { GenericSchema } from "valibot";
import { defaultOf, leavesOf, valueAt } from "./introspect.ts";
import type { Problem } from "./problems.ts";
import { type AgentConfig, isCollectorEnabled, type NatsConfig } from "./schema.ts";
import { originAt, type SourceSection } from "./source-tree.ts";

/** What no single key shows: relations between keys. Only for a configuration whose keys are right by themselves. */
export function relationProblems(config: AgentConfig, root: SourceSection): Problem[] {
	const problems: Problem[] = [];
	const report = (key: string, message: string, hint?: string) => problems.push({ origin: originAt(root, key.split(".")), key, message, hint });
	const { nats } = config.orchestrator;
	if (!nats.enabled && !config.sinks.stdout.enabled) {
		report("orchestrator.nats.enabled", "is false while sinks.stdout.enabled is false too: events would go nowhere", "enable one of the two");
	}
	if (nats.auth_enabled) checkCredentials(nats, report);
	if ((nats.tls.cert === "") !== (nats.tls.key === "")) {
		const [given, missing] = nats.tls.cert === "" ? ["key", "cert"] : ["cert", "key"];
		report(`orchestrator.nats.tls.${given}`, `is given without ${missing}`, "a client certificate needs both cert and key");
	}
	const { max_age: maxAge, duplicate_window: window } = nats.jetstream;
	if (maxAge > 0 && window > maxAge) report("orchestrator.nats.jetstream.duplicate_window", "must not be longer than max_age");
	return problems;
}

/**
 * Keys of the contract that this build accepts and does not act on. The reference says so, and a warning where somebody sets one: whoever makes one
 * work takes it off this list.
 */
export const keysWithoutEffect: readonly string[] = [
	"orchestrator.limits.max_cpu_milli",
	"collectors.kernel.config.monitor_configmaps",
	"collectors.kernel.config.monitor_secrets",
];

/** What is allowed but hardly meant. `plain` is the configuration before its defaults. */
export function doubts(config: AgentConfig, root: SourceSection, schema: GenericSchema, plain: unknown): Problem[] {
	const warnings: Problem[] = [];
	const warn = (key: string, message: string, hint?: string) => warnings.push({ origin: originAt(root, key.split(".")), key, message, hint });
	const names = Object.keys(config.collectors);
	if (!names.some((name) => isCollectorEnabled(config, name))) {
		warn("collectors", "names no collector that runs, so there will be no events", `name one of ${names.join(", ")}`);
	}
	for (const { path, schema: leaf } of leavesOf(schema)) {
		const key = path.join(".");
		const given = keysWithoutEffect.includes(key) && originAt(root, path).kind !== "profile" ? valueAt(plain, path) : undefined;
		if (given !== undefined && String(given) !== String(defaultOf(leaf))) warn(key, "has no effect in this build");
	}
	return warnings;
}

function checkCredentials(nats: NatsConfig, report: (key: string, message: string, hint?: string) => void): void {
	const methods = credentialMethods(nats);
	if (methods.length === 0) {
		report("orchestrator.nats.auth_enabled", "is true, but there are no credentials", "set username and password, token, nkey or creds");
	}
	if (methods.length > 1) report(`orchestrator.nats.${methods[1]}`, `is given beside ${methods[0]}`, "NATS takes one kind of credentials: keep one");
	if (nats.password !== "" && nats.username === "") report("orchestrator.nats.password", "is given without username");
}

/** The kinds of credentials that are given, by the key that names each. */
export function credentialMethods(nats: Pick<NatsConfig, "username" | "password" | "token" | "nkey" | "creds">): string[] {
	const methods: string[] = [];
	if (nats.username !== "" || nats.password !== "") methods.push(nats.username === "" ? "password" : "username");
	if (nats.token !== "") methods.push("token");
	if (nats.nkey !== "") methods.push("nkey");
	if (nats.creds !== "") methods.push("creds");
	return methods;
}
