import { afterAll, beforeAll, expect } from "bun:test";
import { mkdirSync, readFileSync, readlinkSync, rmdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compileC } from "../support/exec-storm.ts";
import { type KernelEvent, KernelHarness } from "../support/kernel-harness.ts";
import { lacking, testNeeding } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait-until.ts";

const needs = ["kernel", "clang"] as const;
const folder = temporaryDirectory("fates");
const program = folder.join("process-fates");

beforeAll(async () => {
	if (lacking("clang") === undefined) await compileC(join(import.meta.dir, "../support/process-fates.c"), program);
});

afterAll(() => folder[Symbol.dispose]());

/** What the kernel told about one process. */
interface Fate {
	readonly pid: number;
	readonly fork: KernelEvent;
	readonly execs: readonly KernelEvent[];
	readonly exit: KernelEvent;
}

/** Lets a process meet its fate, and returns its events once its exit is there. */
async function fateOf(name: string): Promise<Fate> {
	using harness = new KernelHarness().start();
	const child = Bun.spawn([program, name], { stdout: "pipe", cwd: folder.path });
	const pid = Number(await child.stdout.text());
	expect(await child.exited).toBe(0);
	expect(pid).toBeGreaterThan(1);
	const mine = (type: string) => {
		harness.poll();
		return harness.ofType(type).filter((event) => event.data.attributes["process.pid"] === pid);
	};
	const exit = await waitUntil("the process's end is reported", () => mine("tapio.process.exit")[0]);
	const fork = mine("tapio.process.fork")[0];
	if (fork === undefined) throw new Error("The process's start was not reported");
	return { pid, fork, execs: mine("tapio.process.exec"), exit };
}

async function execOf(name: string): Promise<KernelEvent> {
	const { execs } = await fateOf(name);
	const [exec] = execs;
	if (exec === undefined || execs.length !== 1) throw new Error(`${execs.length} executions were reported`);
	return exec;
}

testNeeding(needs, "kernel events of a living process agree with /proc", async () => {
	using harness = new KernelHarness().start();
	const argv = [program, "waits", "--colour", "green"];
	const child = Bun.spawn(argv, { stdin: "pipe", stdout: "pipe", cwd: "/" });
	const own = (type: string) => {
		harness.poll();
		return harness.ofType(type).find((event) => event.data.attributes["process.pid"] === child.pid);
	};
	const exec = await waitUntil("the execution is reported", () => own("tapio.process.exec"));
	const attributes = exec.data.attributes;
	const proc = (name: string) => readFileSync(`/proc/${child.pid}/${name}`, "utf8");
	const status = (field: string) => new RegExp(`^${field}:\\s*(.*)$`, "m").exec(proc("status"))?.[1]?.split("\t") ?? [];
	expect(attributes["process.command_args"]).toEqual(proc("cmdline").slice(0, -1).split("\0"));
	expect(attributes["process.args_count"]).toBe(argv.length);
	expect(attributes["process.executable.path"]).toBe(readlinkSync(`/proc/${child.pid}/exe`));
	expect(attributes["process.executable.name"]).toBe("process-fates");
	expect(attributes["tapio.process.comm"]).toBe(proc("comm").trim());
	expect(attributes["process.parent_pid"]).toBe(Number(status("PPid")[0]));
	expect(attributes["process.real_user.id"]).toBe(Number(status("Uid")[0]));
	expect(attributes["process.user.id"]).toBe(Number(status("Uid")[1]));
	expect(attributes["tapio.process.real_group.id"]).toBe(Number(status("Gid")[0]));
	expect(attributes["process.vpid"]).toBe(Number(status("NSpid").at(-1)));
	const login = Number(proc("loginuid"));
	expect(attributes["tapio.process.login_user.id"]).toBe(login === 0xffffffff ? undefined : login);
	for (const name of ["pid", "mnt", "net", "user", "uts", "ipc", "cgroup"]) {
		expect(`${name}:[${attributes[`tapio.namespace.${name}`]}]`).toBe(readlinkSync(`/proc/${child.pid}/ns/${name}`));
	}
	// stat counts in ticks of 10 ms since boot, from behind the name in parentheses.
	const ticks = Number(proc("stat").split(") ")[1]?.split(" ")[19]);
	expect(Math.floor(Number(attributes["tapio.process.start"]) / 1e7)).toBe(ticks);
	expect(exec.subject).toBe(`${child.pid}@${attributes["tapio.process.start"]}`);
	expect(attributes["tapio.cgroup.id"]).toBe(cgroupInode(child.pid, String(attributes["tapio.cgroup.hierarchy"])));
	// The stamp is the real time: within a few seconds of ours, with nine digits.
	expect(Math.abs(Date.parse(exec.time) - Date.now())).toBeLessThan(60_000);
	expect(exec.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
	await child.stdin.end();
	const exit = await waitUntil("the end is reported", () => own("tapio.process.exit"));
	expect(exit.data.attributes).toMatchObject({ "process.exit.code": 0, "tapio.process.exec_id": attributes["tapio.process.exec_id"] });
	expect(Number(exit.data.attributes["tapio.process.duration_ns"])).toBeGreaterThan(0);
	expect(exit.data.attributes["tapio.process.max_rss_bytes"]).toBeGreaterThan(100_000);
	expect(Number(exit.data.attributes["tapio.process.cpu_time_ns"])).toBeGreaterThan(0);
	expect(exit.time >= exec.time).toBe(true);
});

/** The inode of the process's cgroup folder, which is the kernel's id of it. */
function cgroupInode(pid: number, hierarchy: string): string {
	return String(statSync(cgroupFolder(pid, hierarchy) ?? "", { bigint: true }).ino);
}

/** Where a process is in a hierarchy; undefined where that is not mounted. */
function cgroupFolder(pid: number, hierarchy: string): string | undefined {
	const lines = readFileSync(`/proc/${pid}/cgroup`, "utf8").split("\n");
	const line = lines.find((text) => (hierarchy === "unified" ? text.startsWith("0:") : (text.split(":")[1] ?? "").split(",").includes(hierarchy)));
	const mounts = readFileSync("/proc/self/mounts", "utf8")
		.split("\n")
		.map((text) => text.split(" "));
	const kind = hierarchy === "unified" ? "cgroup2" : "cgroup";
	const mount = mounts.find((fields) => fields[2] === kind && (kind === "cgroup2" || (fields[3] ?? "").split(",").includes(hierarchy)));
	if (line === undefined || mount === undefined) return undefined;
	return join(mount[1] ?? "", line.split(":").slice(2).join(":"));
}

testNeeding([...needs, "root"], "kernel events name the cgroup in every hierarchy, and user and group as they were set", async () => {
	let looked = 0;
	for (const hierarchy of ["unified", "memory", "pids"] as const) {
		const parent = cgroupFolder(process.pid, hierarchy);
		if (parent === undefined) continue;
		const own = join(parent, `tapio-test-${process.pid}`);
		mkdirSync(own);
		try {
			using harness = new KernelHarness({ hierarchy }).start();
			const command = `echo $$ > ${own}/cgroup.procs && exec setpriv --reuid=12345 --regid=54321 --clear-groups /bin/true ${hierarchy}`;
			const { pid, exitCode } = Bun.spawnSync(["sh", "-c", command]);
			expect(exitCode).toBe(0);
			harness.poll();
			const mine = harness.ofType("tapio.process.exec").filter(({ data }) => data.attributes["process.pid"] === pid);
			expect(mine.at(-1)?.data.attributes).toMatchObject({
				"process.command_args": ["/bin/true", hierarchy],
				"process.user.id": 12345,
				"process.real_user.id": 12345,
				"tapio.process.group.id": 54321,
				"tapio.cgroup.id": String(statSync(own, { bigint: true }).ino),
				"tapio.cgroup.hierarchy": hierarchy,
			});
			expect(mine[0]?.data.attributes["process.user.id"]).toBe(0);
		} finally {
			rmdirSync(own);
		}
		looked++;
	}
	expect(looked).toBeGreaterThan(0);
});

testNeeding(needs, "kernel events escape hostile arguments and name what they replaced", async () => {
	const { data } = await execOf("invalid");
	expect(data.attributes["process.command_args"]).toEqual([
		"/bin/true",
		"a\ufffdb",
		"\ufffd",
		"\ufffd\ufffd\ufffd",
		"grüß",
		"\u001b[31m\u0007\n\t\u007f",
	]);
	expect(data.altered).toEqual([{ field: "process.command_args", reason: "invalid_utf8" }]);
});

testNeeding(needs, "kernel events keep empty arguments", async () => {
	const { data } = await execOf("empties");
	expect(data.attributes["process.command_args"]).toEqual(["/bin/true", ...new Array<string>(399).fill("")]);
	expect(data.attributes["process.args_count"]).toBe(400);
	expect(data.altered).toBeUndefined();
});

testNeeding(needs, "kernel events cut long arguments and say how long they were", async () => {
	const { data } = await execOf("huge");
	expect(data.attributes["process.command_args"]).toEqual(["/bin/true", "x".repeat(502)]);
	expect(data.attributes["process.args_count"]).toBe(3);
	expect(data.altered).toEqual([{ field: "process.command_args", reason: "cut", bytes: 10 + 2 * 100_001 }]);
});

testNeeding(needs, "kernel events report an execution without arguments", async () => {
	const { data } = await execOf("none");
	// Since Linux 5.18 the kernel puts in an empty one.
	expect(["[]", '[""]']).toContain(JSON.stringify(data.attributes["process.command_args"]));
});

testNeeding(needs, "kernel events report a fork without exec, and its exit code", async () => {
	const { fork, execs, exit } = await fateOf("only-fork");
	expect(execs).toEqual([]);
	expect(fork.data.attributes["tapio.namespace.new"]).toBeUndefined();
	expect(fork.data.attributes["tapio.process.creator_pid"]).toBe(fork.data.attributes["process.parent_pid"]);
	expect(exit.data.attributes).toMatchObject({ "process.exit.code": 7, "tapio.process.comm": "process-fates" });
	expect(exit.data.attributes["process.exit.signal"]).toBeUndefined();
	expect(exit.severitytext).toBe("INFO2");
	expect(exit.subject).toBe(String(fork.subject));
});

testNeeding(needs, "kernel events report the end of the process, not of its first thread", async () => {
	const { exit } = await fateOf("leader-first");
	expect(exit.data.attributes).toMatchObject({ "process.exit.code": 5, "tapio.process.comm": "process-fates" });
	expect(Number(exit.data.attributes["tapio.process.duration_ns"])).toBeGreaterThan(15_000_000);
});

testNeeding(needs, "kernel events report signals, with and without a core dump", async () => {
	const killed = await fateOf("killed");
	expect(killed.exit.data.attributes).toMatchObject({ "process.exit.signal": 15, "tapio.process.core_dumped": false });
	expect(killed.exit.data.attributes["process.exit.code"]).toBeUndefined();
	expect(killed.exit.severitytext).toBe("WARN");
	const dumped = await fateOf("dump");
	expect(dumped.exit.data.attributes).toMatchObject({ "process.exit.signal": 6, "tapio.process.core_dumped": true });
	expect(dumped.exit.severitytext).toBe("ERROR");
});

testNeeding([...needs, "root"], "kernel events name new namespaces and the pid inside", async () => {
	const { fork, execs } = await fateOf("namespaces");
	expect(fork.data.attributes["tapio.namespace.new"]).toEqual(["pid", "mnt", "net", "uts"]);
	expect(fork.data.attributes["process.vpid"]).toBe(1);
	expect(execs[0]?.data.attributes["process.vpid"]).toBe(1);
	expect(execs[0]?.data.attributes["tapio.namespace.pid"]).toBe(fork.data.attributes["tapio.namespace.pid"]);
	expect(String(readlinkSync("/proc/self/ns/pid"))).not.toContain(String(fork.data.attributes["tapio.namespace.pid"]));
});

testNeeding(needs, "kernel events name script and interpreter", async () => {
	const script = folder.join("a script.sh");
	writeFileSync(script, "#!/bin/sh -e\nexit 3\n", { mode: 0o755 });
	using harness = new KernelHarness().start();
	const { pid, exitCode } = Bun.spawnSync([script, "PASSWORD=hunter2", "--token", "t0ps3cret", "plain"]);
	expect(exitCode).toBe(3);
	const exec = await waitUntil("the script is reported", () => {
		harness.poll();
		return harness.ofType("tapio.process.exec").find((event) => event.data.attributes["process.pid"] === pid);
	});
	expect(exec.data.attributes).toMatchObject({
		"process.executable.path": script,
		"process.executable.name": "a script.sh",
		"tapio.process.interpreter.path": "/bin/sh",
		"process.command_args": ["/bin/sh", "-e", script, "PASSWORD=***", "--token", "***", "plain"],
	});
	expect(exec.data.altered).toEqual([{ field: "process.command_args", reason: "redacted" }]);
});

testNeeding(needs, "kernel events cut a long path and say so", async () => {
	const long = folder.join("d".repeat(200), "e".repeat(200));
	mkdirSync(long, { recursive: true });
	writeFileSync(join(long, "run.sh"), "#!/bin/sh\n", { mode: 0o755 });
	using harness = new KernelHarness({}, { redact_arguments: false }).start();
	const { pid } = Bun.spawnSync([join(long, "run.sh"), "--token", "kept"]);
	const exec = await waitUntil("the execution is reported", () => {
		harness.poll();
		return harness.ofType("tapio.process.exec").find((event) => event.data.attributes["process.pid"] === pid);
	});
	expect(exec.data.attributes["process.executable.path"]).toBe(join(long, "run.sh").slice(0, 255));
	expect(exec.data.attributes["process.executable.name"]).toBeUndefined();
	expect(exec.data.altered).toContainEqual({ field: "process.executable.path", reason: "cut" });
	expect(JSON.stringify(exec.data.attributes["process.command_args"])).toContain("kept");
});
