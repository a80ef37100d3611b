/**
 * The second half of `scripts/run`: a NATS server with JetStream of its own where NATS_URL names none, and the agent in front of it. Both end with this
 * process, however it ends. TAPIO_AGENT names another program to start than dist/tapio-agent, TAPIO_RUN_DATA another folder than .tapio.
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { bold, dim, red } from "./terminal.ts";

const root = join(import.meta.dir, "..");
/** Where the local server keeps what must outlive a run. */
const data = process.env["TAPIO_RUN_DATA"] ?? join(root, ".tapio");
/** How long a server may take to listen, and to end, in milliseconds. */
const startMax = 10_000;
const stopMax = 5000;

const agent = process.env["TAPIO_AGENT"] ?? join(root, "dist/tapio-agent");
const given = process.argv.slice(2);
const named = given.some((argument) => argument === "--config" || argument.startsWith("--config="));
const command = [agent, ...(named ? [] : ["--config", "configs/dev.yaml"]), ...given];

const server = process.env["NATS_URL"] ? undefined : await startServer();
const url = server?.url ?? withoutPassword(process.env["NATS_URL"] ?? "");
note(
	`${bold("NATS ")} ${url}${server === undefined ? "" : dim(`, data in ${relative(root, server.folder)}, log in ${relative(root, server.log)}; ends with the agent`)}`,
);
note(`${bold("Agent")} ${command.map((word) => (word.startsWith(root) ? relative(root, word) : word)).join(" ")}${dim("; Ctrl-C ends it")}`);

// What is meant for this script alone would be unknown keys to the agent.
const { TAPIO_AGENT: _agent, TAPIO_RUN_DATA: _data, ...environment } = process.env;
const child = Bun.spawn(tied(command), {
	cwd: root,
	env: server === undefined ? environment : { ...environment, NATS_URL: server.url },
	stdin: "inherit",
	stdout: "inherit",
	stderr: "inherit",
});
// Ctrl-C reaches the agent by itself, as part of the same terminal; it drains, and this process waits for it.
process.on("SIGINT", () => undefined);
for (const signal of ["SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
const status = await child.exited;
await server?.stop();
process.exit(status);

/** A local server on a free port of the loopback, in a session of its own: Ctrl-C must not end it before the agent has drained. */
async function startServer() {
	const folder = join(data, "nats");
	const ports = join(data, "ports");
	const log = join(data, "nats.log");
	rmSync(ports, { recursive: true, force: true });
	for (const path of [folder, ports]) mkdirSync(path, { recursive: true, mode: 0o700 });
	const words = ["nats-server", "--addr", "127.0.0.1", "--port", "-1", "--jetstream", "--store_dir", folder, "--ports_file_dir", ports, "--log", log];
	if (Bun.which("nats-server") === null) fail("nats-server is not installed", "install it, or name a server: NATS_URL=nats://… ./scripts/run");
	rmSync(log, { force: true });
	const process = Bun.spawn(tied(["setsid", ...words]), { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
	const file = join(ports, `nats-server_${process.pid}.ports`);
	const end = performance.now() + startMax;
	while (!existsSync(file) || readFileSync(file, "utf8") === "") {
		if (process.exitCode !== null || performance.now() > end) {
			process.kill();
			fail(`nats-server did not start: ${lastLine(log)}`, `its log is ${relative(root, log)}; is another ./scripts/run going on here?`);
		}
		await Bun.sleep(20);
	}
	const { nats }: { nats: string[] } = JSON.parse(readFileSync(file, "utf8"));
	return {
		url: nats[0] ?? "",
		folder,
		log,
		async stop() {
			process.kill("SIGTERM");
			const ended = await Promise.race([process.exited.then(() => true), Bun.sleep(stopMax).then(() => false)]);
			if (!ended) process.kill("SIGKILL");
			await process.exited;
		},
	};
}

/** The command, told by the kernel to end when this process does, even when that is killed. */
function tied(words: readonly string[]): string[] {
	return Bun.which("setpriv") === null ? [...words] : ["setpriv", "--pdeathsig", "TERM", "--", ...words];
}

function lastLine(path: string): string {
	return existsSync(path) ? (readFileSync(path, "utf8").trimEnd().split("\n").at(-1) ?? "") : "it said nothing";
}

/** The address with what nobody should read over a shoulder masked. */
function withoutPassword(addresses: string): string {
	return addresses.replace(/\/\/[^@/,]*@/g, "//***@");
}

function note(line: string): void {
	process.stderr.write(`${line}\n`);
}

function fail(message: string, hint: string): never {
	note(`${red(message)}\n${hint}`);
	process.exit(1);
}
