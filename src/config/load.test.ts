// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these texts are what is tested
import { expect, test } from "bun:test";
import fc from "fast-check";
import { type ConfigInput, configRequest } from "../../test/support/config.ts";
import { bytes, milliseconds } from "../base/units.ts";
import { explainConfig, secretValues } from "./explain.ts";
import { loadYamlConfig, validateYamlConfig } from "./load.ts";
import { type AgentConfig, getCollectorConfig, isCollectorEnabled } from "./schema.ts";
import { describeOrigin } from "./source-tree.ts";

const load = (input: ConfigInput): AgentConfig => loadYamlConfig(configRequest(input)).config;
const messages = (input: ConfigInput): string[] => validateYamlConfig(configRequest(input)).map(({ key, message }) => `${key} ${message}`.trim());
const sourceOf = (input: ConfigInput, key: string): string => {
	const found = explainConfig(loadYamlConfig(configRequest(input))).find((value) => value.key === key);
	return found === undefined ? "" : `${found.value} from ${describeOrigin(found.origin)}`;
};

test("loadYamlConfig() without any file opens what the machine gives and prints it", () => {
	const config = load({});
	expect(config.hasFile).toBe(false);
	expect(config.orchestrator).toMatchObject({ cluster: "default", node: "host-1", workers: 4, buffer_size: 10_000, state_dir: "/var/lib/tapio" });
	expect(config.orchestrator.nats).toMatchObject({ enabled: false, url: "nats://localhost:4222", subject: "tapio.events", max_reconnects: 5 });
	expect(config.orchestrator.batch.max_bytes).toBe(bytes(512 * 1024));
	expect(config.orchestrator.nats.jetstream.max_age).toBe(milliseconds(72 * 3_600_000));
	expect(config.sinks.stdout).toEqual({ enabled: true, format: "pretty" });
	expect(config.collectors["systemd"]).toMatchObject({ enabled: true, named: false });
	expect(config.collectors["kernel"]).toMatchObject({ enabled: true, named: false });
});

test("loadYamlConfig() with a file runs only the collectors that it names", () => {
	const config = load({ file: "collectors: { systemd: }" });
	expect(config.hasFile).toBe(true);
	expect(config.collectors["systemd"]).toMatchObject({ enabled: true, named: true });
	expect(isCollectorEnabled(config, "kernel")).toBe(false);
	expect(config.orchestrator.nats.enabled).toBe(true);
	expect(config.sinks.stdout.enabled).toBe(false);
	expect(isCollectorEnabled(config, "etcd")).toBe(false);
	expect(isCollectorEnabled(config, "constructor")).toBe(false);
	expect(getCollectorConfig(config, "etcd")).toBeUndefined();
	expect(getCollectorConfig(config, "systemd")).toMatchObject({ units: ["kubelet.service", "containerd.service", "docker.service", "crio.service"] });
});

test("loadYamlConfig() gives plain data that survives JSON", () => {
	const config = load({ file: "collectors: { systemd: { config: { units: [] } }, kernel: }" });
	expect(JSON.parse(JSON.stringify(config))).toEqual(config);
	expect(structuredClone(config)).toEqual(config);
});

test("loadYamlConfig() prefers flags to variables, those to the user's file, that to the system's, and that to the profile", () => {
	const layers = fc.record({ profile: fc.boolean(), system: fc.boolean(), user: fc.boolean(), variable: fc.boolean(), flag: fc.boolean() });
	fc.assert(
		fc.property(layers, ({ profile, system, user, variable, flag }) => {
			const input: ConfigInput = {
				system: `orchestrator: { cluster: c${profile ? ", profile: high" : ""}${system ? ", workers: 11" : ""} }`,
				file: `orchestrator: { cluster: c${user ? ", workers: 12" : ""} }`,
				variables: variable ? { TAPIO_ORCHESTRATOR__WORKERS: "13" } : {},
				set: flag ? { "orchestrator.workers": "14" } : {},
			};
			const candidates: [boolean, string][] = [
				[flag, "14 from flag --set orchestrator.workers"],
				[variable, "13 from environment TAPIO_ORCHESTRATOR__WORKERS"],
				[user, `12 from user.yaml:1:${1 + (input.file?.indexOf("12") ?? 0)}`],
				[system, `11 from system.yaml:1:${1 + (input.system?.indexOf("11") ?? 0)}`],
				[profile, "16 from profile high"],
				[true, "4 from default"],
			];
			expect(sourceOf(input, "orchestrator.workers")).toBe(candidates.find(([given]) => given)?.[1] ?? "");
		}),
	);
});

test("loadYamlConfig() lets a profile give way to any single key", () => {
	const { orchestrator } = load({ file: "orchestrator: { profile: low, buffer_size: 777 }" });
	expect(orchestrator).toMatchObject({ profile: "low", workers: 2, buffer_size: 777 });
	expect(load({ set: { "orchestrator.profile": "high" } }).orchestrator.workers).toBe(16);
});

test("loadYamlConfig() reads expanded text by the type of the key", () => {
	const file = `
orchestrator:
  workers: \${W:-7}
  buffer_size: "\${B}"
  node: "\${N:-}"
  nats: { username: u, password: "\${PASS}", jetstream: { manage: "\${MANAGE:-no}" } }
  batch: { max_bytes: "\${SIZE:-64KiB}", compression: "\${Z:-zstd}" }
collectors: { systemd: { config: { units: "\${UNITS:-a.service, b.service}" } } }
`;
	const config = load({ file, variables: { B: "500", PASS: "0123" } });
	expect(config.orchestrator).toMatchObject({
		workers: 7,
		buffer_size: 500,
		node: "host-1",
		batch: { max_bytes: bytes(65_536), compression: "zstd" },
	});
	expect(config.orchestrator.nats).toMatchObject({ password: "0123", auth_enabled: true, jetstream: { manage: false } });
	expect(getCollectorConfig(config, "systemd")).toMatchObject({ units: ["a.service", "b.service"] });
	expect(messages({ file, variables: { B: "many", PASS: "x" } })).toEqual(['orchestrator.buffer_size expects a number, found "many"']);
});

test("loadYamlConfig() takes empty text as not given, except where text is wanted", () => {
	const file =
		'orchestrator: { workers: "${W:-}", batch: { max_delay: "${D:-}" } }\ncollectors: { systemd: { enabled: "${E:-}", config: { path: "${P:-}", units: "${U:-}" } } }';
	const config = load({ file, variables: { TAPIO_ORCHESTRATOR__BUFFER_SIZE: "", TAPIO_ORCHESTRATOR__NATS__JETSTREAM__DOMAIN: "" } });
	expect(config.orchestrator).toMatchObject({
		workers: 4,
		buffer_size: 10_000,
		batch: { max_delay: milliseconds(50) },
		nats: { jetstream: { domain: "" } },
	});
	expect(getCollectorConfig(config, "systemd")).toMatchObject({ path: "", units: expect.arrayContaining(["kubelet.service"]) });
	expect(getCollectorConfig(load({ file: "collectors: { systemd: }", set: { "collectors.systemd.config.units": "[]" } }), "systemd")).toMatchObject({
		units: [],
	});
});

test("loadYamlConfig() names each key once, with the first thing that is wrong with it, and no secret", () => {
	expect(messages({ file: "orchestrator: { batch: { max_events: 0.5, max_delay: 0, max_bytes: 1B } }" })).toEqual([
		"orchestrator.batch.max_events must be a whole number, found 0.5",
		"orchestrator.batch.max_delay must be at least 1ms, found 0",
		'orchestrator.batch.max_bytes must be at least 4KiB, found "1B"',
	]);
	expect(messages({ file: "orchestrator: { nats: { password: true } }" })).toEqual(["orchestrator.nats.password expects text"]);
});

test("loadYamlConfig() takes digits as the text they are where text is wanted", () => {
	const { orchestrator } = load({ file: "orchestrator: { node: 007, nats: { username: u, password: 1e3 } }" });
	expect(orchestrator.node).toBe("007");
	expect(orchestrator.nats.password).toBe("1e3");
});

test("loadYamlConfig() treats a key without a value as not written", () => {
	const config = load({ file: "orchestrator: { workers: , nats: , node: ~ }\ncollectors: { systemd: { config: { units: } } }", set: {} });
	expect(config.orchestrator.workers).toBe(4);
	expect(getCollectorConfig(config, "systemd")).toMatchObject({ exclude_own: true });
	expect(load({ system: "orchestrator: { workers: 9 }", file: "orchestrator: { workers: }" }).orchestrator.workers).toBe(9);
});

test("loadYamlConfig() names the key and the variable that is not set, except where it is switched off", () => {
	expect(messages({ file: 'orchestrator: { cluster: "${CLUSTER}" }' })).toEqual([
		"orchestrator.cluster refers to the variable CLUSTER, which is not set",
	]);
	const off = `
orchestrator: { nats: { auth_enabled: false, username: "\${NATS_USER}", password: "\${NATS_PASS}", jetstream: { enabled: false, stream: "\${S}" } } }
sinks: { stdout: { enabled: "\${OUT:-no}", format: "\${F}" } }
collectors: { kernel: { enabled: false, config: { enable_ebpf: "\${E}" } }, etcd: { enabled: "\${ETCD:-false}", config: { endpoint: "\${X}" } } }
`;
	expect(messages({ file: off })).toEqual([]);
});

test("loadYamlConfig() counts ENABLE_ variables only when they are set", () => {
	expect(load({ file: "collectors: { systemd: }", variables: { ENABLE_EBPF_COLLECTOR: "true" } }).collectors["kernel"]).toMatchObject({
		enabled: true,
		named: true,
	});
	expect(isCollectorEnabled(load({ file: "collectors: { systemd: }", variables: { ENABLE_SYSTEMD_COLLECTOR: "false" } }), "systemd")).toBe(false);
	expect(isCollectorEnabled(load({ file: "collectors: { systemd: }", variables: { ENABLE_SYSTEMD_COLLECTOR: "" } }), "systemd")).toBe(true);
	expect(load({ variables: { ENABLE_EBPF_COLLECTOR: "0" } }).collectors).toMatchObject({ kernel: { enabled: false }, systemd: { enabled: true } });
});

test("loadYamlConfig() tells collectors of other builds from unknown ones", () => {
	expect(messages({ file: "collectors: { etcd: { enabled: true } }" })).toEqual([
		'collector "etcd" is not part of this build; this build has kernel, systemd',
	]);
	expect(messages({ file: "collectors: { etcd: }" })).toHaveLength(1);
	expect(messages({ file: "collectors: { etcd: { enabled: false, config: { anything: [1] } }, systemd: }" })).toEqual([]);
	expect(messages({ file: "collectors: { systmd: {} }" })).toEqual(['unknown collector "systmd"; did you mean "systemd"?']);
	expect(messages({ variables: { ENABLE_K8S_COLLECTOR: "true" } })).toEqual([
		'collector "k8s" is not part of this build; this build has kernel, systemd',
	]);
	expect(messages({ variables: { ENABLE_K8S_COLLECTOR: "false" } })).toEqual([]);
});

test("loadYamlConfig() checks keys against each other", () => {
	const nats = (section: string) => messages({ file: `orchestrator: { nats: { ${section} } }` });
	expect(nats("auth_enabled: true")).toEqual(["orchestrator.nats.auth_enabled is true, but there are no credentials"]);
	expect(nats("token: a, nkey: b")).toEqual(["orchestrator.nats.nkey is given beside token"]);
	expect(nats("password: secret")).toEqual(["orchestrator.nats.password is given without username"]);
	expect(nats("tls: { cert: a.pem }")).toEqual(["orchestrator.nats.tls.cert is given without key"]);
	expect(nats("jetstream: { max_age: 1m }")).toEqual(["orchestrator.nats.jetstream.duplicate_window must not be longer than max_age"]);
	expect(nats("jetstream: { max_age: 0 }")).toEqual([]);
	expect(nats("enabled: false")).toHaveLength(1);
	expect(nats("auth_enabled: false, token: a, nkey: b")).toEqual([]);
});

test("loadYamlConfig() refuses subjects that would break the stream, and servers that are none", () => {
	const problem = (key: string, value: string) => messages({ file: `orchestrator: { nats: { ${key}: ${JSON.stringify(value)} } }` }).length;
	for (const subject of ["tapio.events", "a.{cluster}", "a.{cluster}.{node}.{collector}.x", "a_b-c.x"])
		expect([subject, problem("subject", subject)]).toEqual([subject, 0]);
	for (const subject of ["", "a..b", "*.a", "a.>", "a b", "{cluster}.a", "a.{nope}", "a.{node}", "$JS.x", "a."])
		expect([subject, problem("subject", subject)]).toEqual([subject, 1]);
	for (const url of ["nats://h:4222", "tls://h", "h:4222", "nats://[::1]:4222", "nats://u:p@h"]) expect([url, problem("url", url)]).toEqual([url, 0]);
	for (const url of ["", "http://h", "nats://", "nats://h:99999", "a b", "h1,h2"]) expect([url, problem("url", url)]).toEqual([url, 1]);
	expect(load({ file: "orchestrator: { nats: { url: [nats://a, nats://b] } }" }).orchestrator.nats.url).toEqual(["nats://a", "nats://b"]);
	expect(load({ variables: { NATS_URL: "nats://a:1, nats://b:2" } }).orchestrator.nats.url).toEqual(["nats://a:1", "nats://b:2"]);
	expect(messages({ file: "orchestrator: { nats: { url: [] } }" })).toHaveLength(1);
});

test("loadYamlConfig() does not cover up a value where a section belongs, nor the other way round", () => {
	expect(messages({ file: "orchestrator: 5", variables: { TAPIO_ORCHESTRATOR__WORKERS: "5" } })).toEqual([
		"orchestrator expects a section, found a single value",
	]);
	expect(messages({ system: "orchestrator: { workers: { a: 1 } }", file: "orchestrator: { workers: 4 }" })).toEqual([
		"orchestrator.workers expects a number, found a section",
	]);
	expect(messages({ file: "orchestrator: { workers: 4 }", set: { "orchestrator.workers.x": "1" } })).toEqual([
		"orchestrator.workers expects a number, found a section",
	]);
});

test("explainConfig() shows every value with its source and no secret", () => {
	const input: ConfigInput = {
		file: 'orchestrator: { nats: { url: "nats://joe:pa55word@h", username: joe, password: hunter2 } }',
		set: { "orchestrator.node": "n-1" },
	};
	expect(sourceOf(input, "orchestrator.nats.url")).toBe("nats://***@h from user.yaml:1:30");
	expect(sourceOf(input, "orchestrator.nats.password")).toStartWith(`"***" from user.yaml`);
	expect(sourceOf(input, "orchestrator.nats.auth_enabled")).toBe("true from default, credentials are given");
	expect(sourceOf(input, "orchestrator.node")).toBe("n-1 from flag --set orchestrator.node");
	expect(sourceOf({ file: 'orchestrator: { node: "" }' }, "orchestrator.node")).toBe("host-1 from default, the host name");
	expect(sourceOf({}, "orchestrator.node")).toBe("host-1 from default, the host name");
	expect(sourceOf({}, "collectors.systemd.enabled")).toBe("true from default, no configuration file");
	expect(sourceOf({}, "collectors.kernel.config.buffer_size")).toBe(" from default, orchestrator.buffer_size");
	expect(sourceOf({}, "collectors.systemd.config.poll_interval")).toBe("20ms from default");
	const loaded = loadYamlConfig(configRequest(input));
	expect(JSON.stringify(explainConfig(loaded))).not.toMatch(/pa55word|hunter2/);
	expect(secretValues(loaded)).toEqual(["hunter2"]);
});

test("loadYamlConfig() doubts what is allowed but hardly meant", () => {
	const warnings = (file: string) => loadYamlConfig(configRequest({ file })).warnings.map(({ key, message }) => `${key} ${message}`);
	expect(warnings("collectors: { systemd: , kernel: }")).toEqual([]);
	expect(warnings("orchestrator: { cluster: c }")).toEqual(["collectors names no collector that runs, so there will be no events"]);
	expect(warnings("collectors: { systemd: { enabled: false } }")).toHaveLength(1);
	expect(
		warnings("orchestrator: { limits: { max_cpu_milli: 100 }, profile: high }\ncollectors: { kernel: { config: { monitor_secrets: true } } }"),
	).toEqual([
		"orchestrator.limits.max_cpu_milli has no effect in this build",
		"collectors.kernel.config.monitor_secrets has no effect in this build",
	]);
	expect(warnings("orchestrator: { spool: { fsync: 1s } }\ncollectors: { kernel: { config: { monitor_secrets: false } } }")).toEqual([]);
});
