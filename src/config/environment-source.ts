import type { GenericSchema } from "valibot";
import { nearest } from "../base/nearest.ts";
import { printable } from "../base/printable.ts";
import type { Variables } from "./expand.ts";
import { leavesOf } from "./introspect.ts";
import type { Problem } from "./problems.ts";
import { readBoolean } from "./resolve.ts";
import { emptySection, overlay, type SourceSection, sectionAt } from "./source-tree.ts";

/** Names the configuration file instead of --config. */
export const configFileVariable = "TAPIO_CONFIG";

const prefix = "TAPIO_";

/** Variables with names of their own, and the keys they stand for. */
export const namedVariables: readonly (readonly [variable: string, path: readonly string[]])[] = [
	["ENABLE_K8S_COLLECTOR", ["collectors", "k8s", "enabled"]],
	["ENABLE_EBPF_COLLECTOR", ["collectors", "kernel", "enabled"]],
	["ENABLE_SYSTEMD_COLLECTOR", ["collectors", "systemd", "enabled"]],
	["KUBELET_ADDRESS", ["collectors", "kubelet", "config", "address"]],
	["NATS_URL", ["orchestrator", "nats", "url"]],
	["NATS_USER", ["orchestrator", "nats", "username"]],
	["NATS_PASS", ["orchestrator", "nats", "password"]],
];

/** What Kubernetes puts into every pod for a service whose name begins with "tapio"; nobody meant it as configuration. */
const serviceLink = /_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$|_PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$/;

/** What the environment says about the configuration. */
export interface EnvironmentSource {
	readonly root: SourceSection;
	readonly problems: readonly Problem[];
}

/** The variable for a key: `orchestrator.buffer_size` is `TAPIO_ORCHESTRATOR__BUFFER_SIZE`. */
export function variableFor(path: readonly string[]): string {
	return prefix + path.map((key) => key.toUpperCase()).join("__");
}

/**
 * Reads the variables that belong to the agent. `TAPIO_A__B` goes before the variables with names of their own, which count only when they are set and
 * not empty. A name with the prefix that is no key is a problem, so that a slip does not pass in silence.
 */
export function parseEnvironment(variables: Variables, schema: GenericSchema): EnvironmentSource {
	const problems: Problem[] = [];
	let root = emptySection({ kind: "environment", variable: prefix });
	const add = (path: readonly string[], variable: string, text: string) => {
		root = overlay({ below: root, above: sectionAt(path, text, { kind: "environment", variable }) });
	};
	for (const [variable, path] of namedVariables) {
		const text = variables[variable];
		if (text === undefined || text.trim() === "") continue;
		// A variable for a collector that this build lacks is not meant for this agent alone, unless it switches it on.
		if (path[2] === "config" && !leavesOf(schema).some((leaf) => leaf.path.join() === path.join())) continue;
		if (path[2] === "enabled" && readBoolean(text) === undefined) {
			problems.push({ origin: { kind: "environment", variable }, key: "", message: `must be true or false, found "${printable(text)}"` });
		} else add(path, variable, text);
	}
	const known = new Set(leavesOf(schema).map((leaf) => variableFor(leaf.path)));
	for (const variable of Object.keys(variables).toSorted()) {
		const text = variables[variable];
		if (!variable.startsWith(prefix) || variable === configFileVariable || text === undefined) continue;
		const path = variable.slice(prefix.length).toLowerCase().split("__");
		if (known.has(variable) || path[0] === "collectors") add(path, variable, text);
		else if (!serviceLink.test(variable)) problems.push(unknownVariable(variable, known));
	}
	return { root, problems };
}

function unknownVariable(variable: string, known: ReadonlySet<string>): Problem {
	const near = nearest(variable, [...known, configFileVariable]);
	const hint =
		near === undefined ? "a variable is TAPIO_ and the key in capitals, sections joined by __, as in TAPIO_ORCHESTRATOR__WORKERS" : undefined;
	const message = `stands for no key${near === undefined ? "" : `; did you mean ${near}?`}`;
	return { origin: { kind: "environment", variable: printable(variable) }, key: "", message, hint };
}
