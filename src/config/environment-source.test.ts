import { expect, test } from "bun:test";
import { configRequest, sections } from "../../test/support/config.ts";
import { parseEnvironment, variableFor } from "./environment-source.ts";
import { leavesOf } from "./introspect.ts";
import { loadYamlConfig } from "./load.ts";
import { agentSchema } from "./schema.ts";
import { originAt } from "./source-tree.ts";

const problemsOf = (variables: Record<string, string>) => parseEnvironment(variables, agentSchema(sections)).problems.map(({ message }) => message);

test("variableFor() gives every key a variable that sets it", () => {
	const schema = agentSchema(sections);
	for (const { path } of leavesOf(schema)) {
		const { root, problems } = parseEnvironment({ [variableFor(path)]: "text" }, schema);
		expect(problems).toEqual([]);
		expect(originAt(root, path)).toEqual({ kind: "environment", variable: variableFor(path) });
	}
});

test("parseEnvironment() names the variable that was probably meant", () => {
	expect(problemsOf({ TAPIO_ORCHESTRATOR__WORKER: "4" })).toEqual(["stands for no key; did you mean TAPIO_ORCHESTRATOR__WORKERS?"]);
	expect(problemsOf({ TAPIO_WORKERS_AND_MORE: "4" })).toEqual(["stands for no key"]);
	expect(problemsOf({ TAPIO_CONFG: "x" })).toEqual(["stands for no key; did you mean TAPIO_CONFIG?"]);
});

test("parseEnvironment() leaves alone what Kubernetes sets for a service named tapio", () => {
	const variables = {
		TAPIO_SERVICE_HOST: "10.0.0.1",
		TAPIO_SERVICE_PORT: "80",
		TAPIO_AGENT_SERVICE_PORT_HTTP: "80",
		TAPIO_PORT: "tcp://10.0.0.1:80",
		TAPIO_AGENT_PORT_80_TCP_ADDR: "10.0.0.1",
		PATH: "/bin",
		KUBELET_ADDRESS: "localhost:10250",
	};
	expect(problemsOf(variables)).toEqual([]);
});

test("parseEnvironment() refuses a switch that is neither on nor off", () => {
	expect(problemsOf({ ENABLE_EBPF_COLLECTOR: "maybe" })).toEqual(['must be true or false, found "maybe"']);
});

test("parseEnvironment() prefers the name with the prefix", () => {
	const variables = { NATS_URL: "nats://a", TAPIO_ORCHESTRATOR__NATS__URL: "nats://b" };
	expect(loadYamlConfig(configRequest({ variables })).config.orchestrator.nats).toMatchObject({ enabled: true, url: "nats://b" });
});
