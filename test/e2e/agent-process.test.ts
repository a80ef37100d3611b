import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { Agent, agentPath } from "../support/agent.ts";
import { expectAccount } from "../support/expect-account.ts";
import { NatsServer } from "../support/nats-server.ts";
import { writeNodeConfig } from "../support/node-config.ts";
import { testNeeding } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait-until.ts";

const limit = 60_000;
/** Nobody listens here. */
const nowhere = "nats://127.0.0.1:9";
const environment = { PATH: process.env["PATH"] ?? "" };

/** What a command line of the agent printed, and how it ended. */
async function runAgent(args: readonly string[], wrapper: readonly string[] = []): Promise<{ status: number; text: string }> {
	const child = Bun.spawn([...wrapper, agentPath, ...args], { stdin: "ignore", stdout: "pipe", stderr: "pipe", env: environment, cwd: "/" });
	const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
	return { status: await child.exited, text: output + errors };
}

function busy(): void {
	Bun.spawnSync(["sh", "-c", "for i in 1 2 3 4 5; do /bin/true; done"]);
}

testNeeding(["kernel"], "a second agent on the same state folder names the first and ends with status 1, and the first goes on", async () => {
	using directory = temporaryDirectory();
	const settings = writeNodeConfig(directory, { natsUrl: nowhere, kernel: "", node: "first", orchestrator: "shutdown_timeout: 1s" });
	await using agent = new Agent({ arguments: settings });
	await agent.says("Kernel programs are attached.");
	const { status, text } = await runAgent(settings);
	expect(status).toBe(1);
	expect(text).toContain(`Another agent holds the state folder ${directory.join("state")}: process ${agent.pid}, started "`);
	expect(text).toContain('node "first"');
	expect(text).toContain("give this agent an orchestrator.state_dir of its own");
	expect((await agent.stop()).status).toBe(0);
	expect(statSync(directory.join("state")).mode & 0o777).toBe(0o700);
});

test("an agent whose state folder cannot be made, or is a file, says so and ends with status 1", async () => {
	using directory = temporaryDirectory();
	const settings = writeNodeConfig(directory, { natsUrl: nowhere, kernel: "" });
	for (const path of [directory.join("node.yaml"), "/proc/tapio", `${directory.join("node.yaml")}/state`]) {
		const { status, text } = await runAgent([...settings, "--set", `orchestrator.state_dir=${path}`]);
		expect(status).toBe(1);
		expect(text).toStartWith(`tapio-agent: Make the state folder ${path}: `);
		expect(text).toContain("check orchestrator.state_dir");
	}
});

testNeeding(["root"], "an agent whose state folder is on a read-only file system says so", async () => {
	using directory = temporaryDirectory();
	mkdirSync(directory.join("state"));
	const settings = writeNodeConfig(directory, { natsUrl: nowhere, kernel: "" });
	const mount = 'mount -t tmpfs -o ro none "$1" && shift && exec "$@"';
	const { status, text } = await runAgent(settings, ["unshare", "--mount", "sh", "-c", mount, "sh", directory.join("state")]);
	expect(status).toBe(1);
	expect(text).toContain("EROFS");
	expect(text).toContain("check orchestrator.state_dir");
});

testNeeding(["kernel"], "an agent that nobody reads any more ends politely and soon", async () => {
	using directory = temporaryDirectory();
	const errors = directory.join("errors");
	const script = '{ "$0" 2>"$1"; echo "status $?" >>"$1"; } | head -1';
	const child = Bun.spawn(["sh", "-c", script, agentPath, errors], {
		stdin: "ignore",
		stdout: "pipe",
		stderr: "inherit",
		env: environment,
		cwd: "/",
	});
	await waitUntil("the agent has ended", () => {
		busy();
		return child.exitCode !== null || readFileSync(errors, "utf8").includes("\nstatus ");
	});
	expect((await child.stdout.text()).split("\n").length).toBe(2);
	const text = readFileSync(errors, "utf8");
	expect(text).toContain("The reader of the output has gone; the agent ends.");
	expect(text).toEndWith("status 0\n");
	expect(text).not.toContain("level=error");
});

testNeeding(["kernel"], "an agent without a configuration says what it opens and what it cannot, and shows lines for people", async () => {
	const environments = [{ NO_COLOR: "1" }, { FORCE_COLOR: "1" }] as const;
	for (const variables of environments) {
		await using agent = new Agent({ environment: variables, prefix: ["setpriv", "--bounding-set=-all,+bpf,+perfmon"] });
		await agent.says("Kernel programs are attached.");
		await waitUntil("it shows a process", () => {
			busy();
			return agent.output.includes("process.exec");
		});
		const end = await agent.stop();
		expect(end.status).toBe(0);
		expect(end.stderr).toStartWith("No configuration file: showing what this machine gives.");
		expect(end.stderr).toContain("  kernel: on\n");
		expect(end.stderr).toMatch(/ {2}systemd: (on|off, \S.*)\n/);
		expect(end.stdout.includes("\x1b[")).toBe("FORCE_COLOR" in variables);
		expect(end.ledger["kernel"]?.published).toBeGreaterThan(0);
	}
});

testNeeding(["root"], "an agent that may open nothing says why, and ends with status 69", async () => {
	const { status, text } = await runAgent([], ["setpriv", "--reuid", "65534", "--clear-groups", "--bounding-set=-all", "--inh-caps=-all"]);
	expect(status).toBe(69);
	expect(text).toContain(
		"kernel: off, Load a BPF program: the kernel does not permit it (give the agent CAP_BPF and CAP_PERFMON, or run it as root)",
	);
	expect(text).toMatch(/systemd: off, \S+/);
});

testNeeding(
	["root", "nats"],
	"an agent without CAP_BPF, or without the kernel's types, delivers what it can and says what it lacks",
	async () => {
		using directory = temporaryDirectory();
		await using server = await NatsServer.start();
		const settings = writeNodeConfig(directory, { natsUrl: server.url, kernel: "" });
		const hidden = 'mount -t tmpfs none /sys/kernel/btf && exec "$@"';
		for (const [prefix, reason] of [
			[["setpriv", "--bounding-set=-bpf,-sys_admin"], "give the agent CAP_BPF"],
			[["unshare", "--mount", "sh", "-c", hidden, "sh"], "type information"],
		] as const) {
			await using agent = new Agent({ arguments: settings, prefix });
			await agent.says(reason);
			await waitUntil("health says so", () => /Health changed\..*component=kernel status=unhealthy/.test(agent.log));
			await agent.says("Connected to NATS.");
			const end = await agent.stop();
			expect(end.status).toBe(0);
			expect(end.health["kernel"]).toMatchObject({ status: "unhealthy" });
			expect(end.health["kernel"]?.message).toContain(reason);
			expect(end.health["nats"]?.status).toBe("healthy");
			expect(end.restarts["kernel"]).toBeGreaterThan(0);
		}
	},
	limit,
);

testNeeding(["kernel"], "an agent that is asked twice to end does so at once", async () => {
	using directory = temporaryDirectory();
	const settings = writeNodeConfig(directory, { natsUrl: nowhere, kernel: "", orchestrator: "shutdown_timeout: 30s" });
	await using agent = new Agent({ arguments: settings });
	await agent.says("Kernel programs are attached.");
	busy();
	agent.signal("SIGTERM");
	await agent.says("Stopping: sources first");
	const began = performance.now();
	// Two signals within half a second are one: a terminal and a wrapper both pass theirs on.
	await waitUntil("it takes the second signal for one", () => {
		if (performance.now() - began > 600) agent.signal("SIGTERM");
		return agent.hasEnded;
	});
	expect(await agent.ended()).toBe(130);
	expect(performance.now() - began).toBeLessThan(8000);
});

testNeeding(
	["kernel"],
	"an agent whose server never comes keeps what the kernel gave on disk, ends in time, and says so in its account",
	async () => {
		using directory = temporaryDirectory();
		const settings = writeNodeConfig(directory, { natsUrl: nowhere, kernel: "buffer_size: 1000", orchestrator: "shutdown_timeout: 1s" });
		await using agent = new Agent({ arguments: settings });
		await agent.says("Kernel programs are attached.");
		Bun.spawnSync(["sh", "-c", "i=0; while [ $i -lt 2000 ]; do /bin/true; i=$((i+1)); done"]);
		const end = await agent.stop();
		expect(end.status).toBe(0);
		const account = end.ledger["kernel"];
		expect(account?.received).toBeGreaterThanOrEqual(6000);
		expectAccount(account, { published: 0, dropped: {}, lost: {}, inFlight: account?.received ?? 0 });
	},
	limit,
);

testNeeding(["kernel"], "an agent whose state was written by a newer one says so, and ends instead of waiting", async () => {
	using directory = temporaryDirectory();
	const settings = writeNodeConfig(directory, { natsUrl: nowhere, kernel: "" });
	mkdirSync(directory.join("state/lanes"), { recursive: true });
	const header = JSON.stringify(["tapio-lane", 99, "kernel", "0a1b"]);
	writeFileSync(directory.join("state/lanes/kernel.lane"), `${Bun.hash.crc32(header).toString(16).padStart(8, "0")} ${header}\n`);
	const { status, text } = await runAgent(settings);
	expect(status).toBe(70);
	expect(text).toContain("was written by a newer agent (format 99, this one knows 1)");
	expect(text).toContain("run the newer agent");
});

test("an agent whose configuration enables nothing says which collectors there are", async () => {
	using directory = temporaryDirectory();
	writeFileSync(directory.join("empty.yaml"), "collectors: { kernel: { enabled: false } }\n");
	const { status, text } = await runAgent(["--config", directory.join("empty.yaml")]);
	expect(status).toBe(1);
	expect(text).toContain("name one under collectors: systemd, kernel");
});
