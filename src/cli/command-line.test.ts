import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sections } from "../../test/support/config.ts";
import { expectGolden } from "../../test/support/golden.ts";
import { testNeeding } from "../../test/support/requires.ts";
import { temporaryDirectory } from "../../test/support/temporary-directory.ts";
import { OperatingError } from "../base/errors.ts";
import type { TextOutput } from "../platform/console.ts";
import { currentSurroundings } from "../platform/environment.ts";
import { runCommandLine } from "./command-line.ts";
import { loadRequest } from "./load-config.ts";

const root = join(import.meta.dir, "../..");
const main = join(root, "src/main.ts");
const golden = (name: string) => join(import.meta.dir, "fixtures", name);

/** What a command line wrote and returned, as on a terminal without colors of 80 columns. */
async function command(words: readonly string[], variables: Record<string, string> = {}) {
	const written = { out: "", error: "" };
	const output = (stream: "out" | "error"): TextOutput => ({
		isTerminal: true,
		colors: false,
		width: 80,
		write(text) {
			written[stream] += text;
		},
	});
	const surroundings = { ...currentSurroundings(), arguments: words, variables, hostName: "host-1" };
	const status = await runCommandLine(surroundings, { out: output("out"), error: output("error") });
	return { status, ...written };
}

test("runCommandLine() explains the agent and every command", async () => {
	let pages = "";
	for (const words of [
		["help"],
		["help", "run"],
		["help", "status"],
		["help", "validate"],
		["help", "config"],
		["help", "spool"],
		["help", "schema"],
		["help", "version"],
		["help", "help"],
	]) {
		const { status, out, error } = await command(words);
		expect([status, error]).toEqual([0, ""]);
		for (const line of out.split("\n")) if (!line.startsWith("  tapio-agent")) expect(line.length).toBeLessThanOrEqual(80);
		pages += `$ tapio-agent ${words.join(" ")}\n${out}\n`;
	}
	expectGolden(golden("help.txt"), pages);
	expect((await command(["--help"])).out).toBe((await command(["help"])).out);
	expect((await command(["config", "-h"])).out).toBe((await command(["help", "config"])).out);
});

test("runCommandLine() answers a wrong command line with 64 and the way on", async () => {
	let text = "";
	const lines = [
		["vaildate"],
		["node.yaml"],
		["xyzzy"],
		["--workers", "4"],
		["help", "nothing"],
		["validate"],
		["config", "--set", "a"],
		["validate", "-c", "a", "b"],
		["run", "x\x1b[2J"],
	];
	for (const words of lines) {
		const { status, out, error } = await command(words);
		expect([status, out]).toEqual([64, ""]);
		text += `$ tapio-agent ${JSON.stringify(words)}\n${error}`;
	}
	expectGolden(golden("usage.txt"), text);
	expect(text).not.toContain("\x1b");
});

test("runCommandLine() prints the version", async () => {
	const { status, out } = await command(["--version"]);
	expect(status).toBe(0);
	expect(out).toMatch(/^tapio-agent \d+\.\d+\.\d+\ncommit {3}.+\ntarget {3}.+\nruntime {2}bun .+\n$/);
	expect((await command(["version"])).out).toBe(out);
});

test("runCommandLine() prints a JSON Schema that is the generated one", async () => {
	const { out } = await command(["schema"]);
	expect(out).toBe(await Bun.file(join(root, "src/config/schema.gen.json")).text());
	expect(JSON.parse(out)).toMatchObject({ type: "object", additionalProperties: false });
});

test("runCommandLine() prints every effective value with its source, and no secret", async () => {
	const file = "configs/high-load.yaml";
	const words = ["config", "--print", "--config", file, "--node", "n-1", "--set", "orchestrator.nats.token=t0ken-value"];
	const variables = { NATS_URL: "nats://joe:hunter2@nats:4222", TAPIO_ORCHESTRATOR__LIMITS__MAX_MEMORY_MB: "64" };
	const { status, out, error } = await command(words, variables);
	expect([status, error]).toEqual([0, ""]);
	expect(out).not.toMatch(/hunter2|t0ken/);
	expectGolden(golden("config.txt"), out);
	const list: unknown = JSON.parse((await command([...words, "--json"], variables)).out);
	expect(list).toContainEqual({ key: "orchestrator.node", value: "n-1", source: "flag --node" });
	expect(list).toContainEqual({ key: "orchestrator.nats.url", value: "nats://***@nats:4222", source: "environment NATS_URL" });
	expect(list).toContainEqual({ key: "orchestrator.spool.max_bytes", value: "4GiB", source: "profile high" });
});

test("runCommandLine() prints a configuration that it reads back as the same", async () => {
	using directory = temporaryDirectory("config");
	const printed = (await command(["config", "-c", "configs/dev.yaml"])).out;
	writeFileSync(directory.join("printed.yaml"), printed);
	const again = (await command(["config", "-c", directory.join("printed.yaml")])).out;
	const values = (text: string) => text.replaceAll(/ +#.*$/gm, "");
	expect(values(again)).toBe(values(printed));
});

test("runCommandLine() says what a right configuration does", async () => {
	const { status, out } = await command(["validate", "configs/prod.yaml"], { NATS_USER: "u", NATS_PASS: "p", NATS_URL: "tls://u:p@nats" });
	expect(status).toBe(0);
	expectGolden(golden("validate.txt"), out);
	expect((await command(["validate"], { TAPIO_CONFIG: "configs/node.yaml" })).status).toBe(0);
});

test("runCommandLine() ends with 78 for every file that is no configuration, and says why", async () => {
	using directory = temporaryDirectory("config");
	const write = (name: string, content: string | Uint8Array) => writeFileSync(directory.join(name), content);
	write("empty.yaml", "");
	write("comments.yaml", "# nothing\n");
	write("utf16.yaml", Buffer.from("\ufefforchestrator: {}\n", "utf16le"));
	write("latin1.yaml", Buffer.from("orchestrator: { node: caf\xe9 }\n", "latin1"));
	write("binary.yaml", "a: \u0000\n");
	write("huge.yaml", `# ${"x".repeat(1024 * 1024)}\n`);
	write("list.yaml", "- a\n");
	write("windows.yaml", "\ufefforchestrator:\r\n  workers: 0\r\n");
	mkdirSync(directory.join("folder.yaml"));
	let text = "";
	for (const name of ["empty", "comments", "utf16", "latin1", "binary", "huge", "list", "windows", "folder", "absent"]) {
		const { status, out, error } = await command(["validate", "--config", directory.join(`${name}.yaml`)]);
		expect([name, status, out]).toEqual([name, 78, ""]);
		text += error.replaceAll(directory.path, "DIR");
	}
	expectGolden(golden("files.txt"), text);
});

test("runCommandLine() ends well when nobody reads any more", async () => {
	const closed = (): never => {
		throw new OperatingError("output_closed", "Write to the standard output");
	};
	const output: TextOutput = { isTerminal: false, colors: false, width: 80, write: closed };
	const surroundings = { ...currentSurroundings(), arguments: ["help"], variables: {} };
	expect(await runCommandLine(surroundings, { out: output, error: output })).toBe(0);
});

test("loadRequest() reads the system's file before the one that is named", () => {
	const surroundings = { ...currentSurroundings(), variables: { TAPIO_CONFIG: "b.yaml" } };
	const output: TextOutput = { isTerminal: false, colors: false, width: 80, write: () => {} };
	const context = (flags: Record<string, string[]>) => ({
		arguments: { flags: new Map(Object.entries(flags)), operands: [] },
		commands: [],
		terminal: { out: output, error: output },
		surroundings,
	});
	expect(loadRequest(context({}), sections)).toMatchObject({ systemFile: "/etc/tapio/agent.yaml", file: "b.yaml" });
	const request = loadRequest(context({ "--config": ["a.yaml"], "--node": ["n"], "--set": ["orchestrator.node=m", "a.b=c=d"] }), sections);
	expect(request.file).toBe("a.yaml");
	expect(request.flags).toEqual([
		{ flag: "--set orchestrator.node", path: ["orchestrator", "node"], text: "m" },
		{ flag: "--set a.b", path: ["a", "b"], text: "c=d" },
		{ flag: "--node", path: ["orchestrator", "node"], text: "n" },
	]);
});

testNeeding("root", "runCommandLine() says that a file may not be read by this user", async () => {
	using directory = temporaryDirectory("config");
	chmodSync(directory.path, 0o755);
	const file = directory.join("secret.yaml");
	writeFileSync(file, "orchestrator: {}\n");
	chmodSync(file, 0o600);
	// The program is bundled so that a user without rights to this checkout can run it.
	const { outputs } = await Bun.build({ entrypoints: [join(root, "src/platform/environment.ts")], target: "bun" });
	const bundle = directory.join("environment.js");
	writeFileSync(bundle, (await outputs[0]?.text()) ?? "");
	const program = `const { readFileUpTo } = await import(${JSON.stringify(bundle)}); try { readFileUpTo(${JSON.stringify(file)}, 10) } catch (e) { console.log(e.code, e.message) }`;
	const runtime = directory.join("bun");
	writeFileSync(runtime, await Bun.file(process.execPath).bytes());
	chmodSync(runtime, 0o755);
	const child = Bun.spawn(["setpriv", "--reuid=65534", "--clear-groups", runtime, "-e", program], {
		cwd: "/",
		env: {},
		stdout: "pipe",
		stderr: "inherit",
	});
	expect(await child.stdout.text()).toBe("file_permission the file may not be read by this user\n");
});

test("main.ts gives the status to the shell, and survives a reader that goes away", async () => {
	const run = async (script: string) => {
		const env = { PATH: process.env["PATH"] ?? "", BUN: process.execPath, MAIN: main };
		const child = Bun.spawn(["bash", "-c", `set -o pipefail; ${script}`], { cwd: root, env, stdout: "pipe", stderr: "pipe" });
		const [status, out, error] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
		return { status, out, error };
	};
	expect(await run('"$BUN" "$MAIN" schema | head -c 2')).toEqual({ status: 0, out: "{\n", error: "" });
	const wrong = await run('"$BUN" "$MAIN" --config src/config/fixtures/syntax.yaml');
	expect([wrong.status, wrong.out]).toEqual([78, ""]);
	// Not a terminal: one line for each problem, without colors and excerpt.
	expect(wrong.error).toBe(
		"tapio-agent: 1 error in the configuration\nsrc/config/fixtures/syntax.yaml:3:1: not valid YAML: the indentation does not fit the lines above\n",
	);
});

test("main.ts colors a terminal, unless NO_COLOR says otherwise", async () => {
	const onTerminal = async (variables: Record<string, string>) => {
		const env = { PATH: process.env["PATH"] ?? "", TERM: "xterm", ...variables };
		const line = `'${process.execPath}' '${main}' validate src/config/fixtures/syntax.yaml`;
		const child = Bun.spawn(["script", "-qec", line, "/dev/null"], { cwd: root, env, stdin: "ignore", stdout: "pipe", stderr: "inherit" });
		return (await child.stdout.text()).replaceAll("\r\n", "\n");
	};
	const colored = await onTerminal({});
	expect(colored).toContain("\x1b[1;31m");
	const plain = await onTerminal({ NO_COLOR: "1" });
	expect(plain).not.toContain("\x1b");
	expect(plain).toContain("    3 |  buffer_size: 1000\n      | ^\n");
});
