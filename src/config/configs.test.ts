import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { configRequest } from "../../test/support/config.ts";
import { loadYamlConfig } from "./load.ts";
import { ringQuotas } from "./quotas.ts";
import type { AgentConfig } from "./schema.ts";

const folder = join(import.meta.dir, "../../configs");
const load = (name: string, variables: Record<string, string> = {}): AgentConfig =>
	loadYamlConfig(configRequest({ file: readFileSync(join(folder, name), "utf8"), variables })).config;

test("loadYamlConfig() accepts every example configuration", () => {
	const names = readdirSync(folder).filter((name) => name.endsWith(".yaml"));
	expect(names).toContain("node.yaml");
	for (const name of names) {
		const config = load(name, { NATS_USER: "u", NATS_PASS: "p" });
		expect(config.collectors).toMatchObject({ systemd: { enabled: true }, kernel: { enabled: true } });
		const { wanted, limit } = ringQuotas(config);
		expect(wanted).toBeLessThanOrEqual(limit);
	}
});

test("loadYamlConfig() takes from the reference exactly the defaults", () => {
	const defaults = loadYamlConfig(configRequest({ file: "collectors: { systemd: , kernel: }" })).config;
	expect(load("reference.yaml")).toEqual(defaults);
});

test("loadYamlConfig() takes from the node's example exactly the defaults", () => {
	const defaults = loadYamlConfig(configRequest({ file: "collectors: { systemd: , kernel: }" })).config;
	expect(load("node.yaml")).toEqual(defaults);
	const named = load("node.yaml", { NODE_NAME: "n.1", CLUSTER: "c", NATS_URL: "nats://x" });
	expect(named.orchestrator).toMatchObject({ node: "n.1", cluster: "c", nats: { url: "nats://x" } });
});

test("loadYamlConfig() reads the examples by load as they are documented", () => {
	expect(load("dev.yaml").orchestrator).toMatchObject({ workers: 2, buffer_size: 1000, log_level: "debug", state_dir: ".tapio/state" });
	expect(load("dev.yaml").sinks.stdout).toEqual({ enabled: true, format: "pretty" });
	expect(load("prod.yaml", { NATS_USER: "u", NATS_PASS: "p" }).orchestrator).toMatchObject({ workers: 8, buffer_size: 25_000, log_level: "warn" });
	expect(load("high-load.yaml").orchestrator).toMatchObject({ workers: 16, buffer_size: 50_000 });
	expect(load("collectors.yaml").orchestrator).toMatchObject({ workers: 4, nats: { max_reconnects: 5, auth_enabled: false } });
});
