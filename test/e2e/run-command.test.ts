import { expect, test } from "bun:test";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { testNeeding } from "../support/requires.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait-until.ts";

const program = join(import.meta.dir, "../../scripts/run-agent.ts");

/** Starts the command with a stand-in for the agent, which says how it was called and whether the server is there when it ends. */
function start(directory: TemporaryDirectory, environment: Record<string, string> = {}, args: readonly string[] = []) {
	const agent = directory.join("agent");
	const said = directory.join("said");
	const reach = `(exec 3<>"/dev/tcp/127.0.0.1/\${NATS_URL##*:}") 2>/dev/null && echo "server there" || echo "server gone"`;
	writeFileSync(
		agent,
		`#!/bin/bash\ntrap '${reach}; echo ended; exit 7' INT TERM\necho "args $*"\necho "keys $(env | grep -c ^TAPIO_)"\necho "url $NATS_URL"\nwhile :; do read -t 0.05 <> <(:); done\n`,
	);
	chmodSync(agent, 0o755);
	const env = { PATH: process.env["PATH"] ?? "", TAPIO_AGENT: agent, TAPIO_RUN_DATA: directory.join("data"), ...environment };
	const child = Bun.spawn([process.execPath, program, ...args], { env, stdin: "ignore", stdout: Bun.file(said), stderr: "pipe" });
	const output = () => (existsSync(said) ? readFileSync(said, "utf8") : "");
	return { child, output, started: () => waitUntil("the agent has started", () => /^url .*$/m.exec(output())?.[0].slice(4) ?? false) };
}

async function answers(url: string): Promise<boolean> {
	const { hostname, port } = new URL(url);
	try {
		const socket = await Bun.connect({ hostname, port: Number(port), socket: { data() {} } });
		socket.end();
		return true;
	} catch {
		// Refused: that is the answer.
		return false;
	}
}

testNeeding("nats", "run-agent starts a server, keeps it until the agent has ended, and hands on its status", async () => {
	using directory = temporaryDirectory("run");
	const { child, output, started } = start(directory, {}, ["--flag"]);
	const url = await started();
	expect(url).toStartWith("nats://127.0.0.1:");
	expect(await answers(url)).toBe(true);
	child.kill("SIGTERM");
	expect(await child.exited).toBe(7);
	expect(output()).toContain("args --config configs/dev.yaml --flag\n");
	// Its own settings would be unknown keys to the agent.
	expect(output()).toContain("keys 0\n");
	expect(output()).toContain("server there\nended\n");
	expect(await answers(url)).toBe(false);
	expect((await child.stderr.text()).trimEnd().split("\n").length).toBe(2);
});

testNeeding("nats", "run-agent leaves nothing running when it is killed", async () => {
	using directory = temporaryDirectory("run");
	const { child, output, started } = start(directory);
	const url = await started();
	child.kill("SIGKILL");
	await child.exited;
	await waitUntil("the agent has ended", () => output().includes("ended"));
	await waitUntil("the server has ended", async () => !(await answers(url)));
});

test("run-agent starts no server where NATS_URL names one, and shows no password", async () => {
	using directory = temporaryDirectory("run");
	const { child, output, started } = start(directory, { NATS_URL: "nats://ann:secret@192.0.2.1:4222" }, ["--config", "own.yaml"]);
	expect(await started()).toBe("nats://ann:secret@192.0.2.1:4222");
	expect(output()).toContain("args --config own.yaml\n");
	child.kill("SIGTERM");
	await child.exited;
	const notes = await child.stderr.text();
	expect(notes).toContain("nats://***@192.0.2.1:4222");
	expect(notes).not.toContain("secret");
	expect(existsSync(directory.join("data"))).toBe(false);
});

test("run-agent says what to do where nats-server is missing", async () => {
	using directory = temporaryDirectory("run");
	const { child } = start(directory, { PATH: "" });
	expect(await child.exited).toBe(1);
	expect(await child.stderr.text()).toContain("nats-server is not installed\ninstall it, or name a server: NATS_URL=nats://… ./scripts/run");
});
