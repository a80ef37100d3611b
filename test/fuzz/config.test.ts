// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these texts are what is mixed
import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { loadYamlConfig } from "../../src/config/load.ts";
import { ConfigError, formatProblems } from "../../src/config/problems.ts";
import { configRequest, sections } from "../support/config.ts";

const root = join(import.meta.dir, "../..");
const folders = [join(root, "configs"), join(root, "src/config/fixtures")];
const seeds = folders.flatMap((folder) =>
	readdirSync(folder)
		.filter((name) => name.endsWith(".yaml"))
		.map((name) => readFileSync(join(folder, name), "utf8")),
);

/** Pieces that mean something to YAML, to the loader or to a terminal. */
const pieces = [
	..."{}[]:,-?!&*#|>'\"%@`\n\t \u0000\u001b\u202e\ufeff😀",
	"\n  ",
	": ",
	"- ",
	"<<: ",
	"*a",
	"&a ",
	"!!binary ",
	"---\n",
	"${",
	"${X}",
	"${X:-}",
	"${SET}",
	"$$",
	"null",
	"~",
	"true",
	"1e309",
	"-0",
	".nan",
	"0x1F",
	"__proto__: ",
	"constructor: ",
	"toString: ",
	"enabled: false",
	"collectors:",
	"nats: ",
	"10GiB",
	"50",
	"\r\n",
	"\u2028",
	"\ud800",
];

/** A change to a text: at `at` of its length, `cut` characters give way to `put`. */
const edit = fc.record({
	at: fc.double({ min: 0, max: 1, noNaN: true }),
	cut: fc.nat(12),
	put: fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 6 })),
});
const mutated = fc.tuple(fc.constantFrom(...seeds), fc.array(edit, { minLength: 1, maxLength: 8 })).map(([seed, edits]) =>
	edits.reduce((text, { at, cut, put }) => {
		const index = Math.floor(at * text.length);
		return text.slice(0, index) + put + text.slice(index + cut);
	}, seed),
);
const assembled = fc.array(fc.constantFrom(...pieces), { maxLength: 40 }).map((parts) => parts.join(""));

/** Loads, and lets nothing pass but a configuration or errors that are safe to print. */
function attempt(request: ReturnType<typeof configRequest>): void {
	try {
		const { config } = loadYamlConfig(request);
		expect(JSON.parse(JSON.stringify(config))).toEqual(config);
	} catch (error) {
		if (!(error instanceof ConfigError)) throw error;
		expect(error.problems.length).toBeGreaterThan(0);
		const text = formatProblems(error, { colors: false, excerpts: true, width: 80 });
		expect(/[^\P{Cc}\n]|[\u2028\u2029\p{Bidi_Control}]/u.test(text)).toBe(false);
	}
}

test("loadYamlConfig() answers any mutated file with a configuration or with problems", () => {
	expect(seeds.length).toBeGreaterThan(8);
	fc.assert(
		fc.property(fc.oneof(mutated, assembled), (file) => attempt(configRequest({ file, variables: { SET: "value" } }))),
		{ numRuns: 1500 },
	);
}, 60_000);

test("loadYamlConfig() answers any bytes with a configuration or with problems", () => {
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) =>
			attempt({ ...configRequest({ file: "" }), read: (path) => (path === "user.yaml" ? bytes : undefined) }),
		),
		{ numRuns: 500 },
	);
});

test("loadYamlConfig() answers any variables and flags with a configuration or with problems", () => {
	const name = fc.oneof(
		fc.constantFrom(
			"TAPIO_ORCHESTRATOR__WORKERS",
			"TAPIO_COLLECTORS",
			"TAPIO_COLLECTORS__SYSTEMD__CONFIG__UNITS",
			"NATS_URL",
			"ENABLE_EBPF_COLLECTOR",
			"TAPIO_",
			"TAPIO___",
		),
		fc.stringMatching(/^TAPIO_[A-Z_]{0,20}$/),
	);
	const key = fc.oneof(
		fc.constantFrom(
			"orchestrator",
			"orchestrator.nats.url",
			"collectors.systemd.config.units",
			"a.b",
			"",
			".",
			"__proto__.x",
			"collectors.kernel.enabled",
		),
		fc.string({ maxLength: 12 }),
	);
	const value = fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 12 }));
	fc.assert(
		fc.property(fc.dictionary(name, value, { maxKeys: 3 }), fc.dictionary(key, value, { maxKeys: 3 }), (variables, set) => {
			attempt({ ...configRequest({ set }), variables, collectors: sections });
		}),
		{ numRuns: 800 },
	);
});

test("loadYamlConfig() never shows a password that stands in a mutated file", () => {
	const secret = "hunter2hunter2";
	const file = fc
		.tuple(
			fc.constantFrom("password", "token", "nkey", "pasword", "passwd", "Token"),
			fc.constantFrom("", "'", '"'),
			fc.array(edit, { maxLength: 3 }),
		)
		.map(([key, quote, edits]) => {
			const rest = edits.reduce((text, { at, put }) => text.slice(0, Math.floor(at * text.length)) + put, "workers: x\n  limits: { y: 1 }\n");
			const below = rest.length % 2 === 0 ? "" : `\n  secret_list:\n  - ${secret}\n  token:\n    ${secret}`;
			return `orchestrator:${below}\n  nats: { url: "nats://u:${secret}@h", ${key}: ${quote}${secret}${quote} }\n  ${rest}`;
		});
	fc.assert(
		fc.property(file, (text) => {
			try {
				loadYamlConfig(configRequest({ file: text }));
			} catch (error) {
				if (!(error instanceof ConfigError)) throw error;
				expect(formatProblems(error, { colors: false, excerpts: true, width: 120 })).not.toContain(secret);
				expect(error.message).not.toContain(secret);
			}
		}),
		{ numRuns: 500 },
	);
});
