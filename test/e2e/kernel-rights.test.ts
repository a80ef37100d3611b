import { expect, test } from "bun:test";
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OperatingError } from "../../src/base/errors.ts";
import { sourceCapabilities } from "../../src/collectors/collector.ts";
import type { KernelCollectorOptions } from "../../src/collectors/kernel/collector.ts";
import { bpfObject } from "../../src/platform/ffi/embedded.ts";
import { KernelHarness } from "../support/kernel-harness.ts";
import { testNeeding } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait-until.ts";

const starter = join(import.meta.dir, "../support/kernel-start.ts");
const sources = join(import.meta.dir, "../../bpf");

/** Starts the collector in a process that `wrapper` restricts. */
async function startUnder(wrapper: readonly string[]): Promise<Record<string, unknown>> {
	const child = Bun.spawn([...wrapper, process.execPath, starter], { stdout: "pipe", stderr: "pipe" });
	const [output, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
	await child.exited;
	// Whatever libbpf has to say belongs into the error, not onto the terminal.
	expect(errors).toBe("");
	return JSON.parse(output);
}

function startError(options: KernelCollectorOptions): OperatingError {
	using harness = new KernelHarness(options);
	try {
		harness.start();
	} catch (error) {
		if (error instanceof OperatingError) return error;
		throw error;
	}
	throw new Error("It started");
}

const needs = ["kernel", "root"] as const;
const all = sourceCapabilities.process | sourceCapabilities.realtime | sourceCapabilities.kernelLevel | sourceCapabilities.systemWide;

testNeeding(needs, "start() says which capability is missing", async () => {
	for (const [drop, missing] of [
		["-bpf,-sys_admin", "CAP_BPF"],
		["-perfmon,-sys_admin", "CAP_PERFMON"],
		["-bpf,-perfmon,-sys_admin", "CAP_BPF and CAP_PERFMON"],
	] as const) {
		const report = await startUnder(["setpriv", `--bounding-set=${drop}`]);
		const message = `Load a BPF program: the kernel does not permit it (give the agent ${missing}, or run it as root)`;
		expect(report).toEqual({ probe: message, code: "bpf_permission", message });
	}
});

testNeeding(needs, "start() needs CAP_BPF and CAP_PERFMON and nothing else", async () => {
	const report = await startUnder(["setpriv", "--bounding-set=-all,+bpf,+perfmon"]);
	expect(report).toMatchObject({ health: { status: "healthy", message: "Reports process exec, exit, fork." } });
	expect(report["probe"]).toBeUndefined();
	expect(report["events"]).toBeGreaterThanOrEqual(3);
});

testNeeding(needs, "start() says that the kernel has no type information", async () => {
	const report = await startUnder(["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /sys/kernel/btf && exec "$@"', "sh"]);
	expect(report["code"]).toBe("kernel_btf_missing");
	expect(report["message"]).toContain("Find the kernel's type information at /sys/kernel/btf/vmlinux");
	expect(report["message"]).toContain("CONFIG_DEBUG_INFO_BTF");
	expect(report["probe"]).toBe(report["message"]);
});

testNeeding("kernel", "start() says that libbpf is missing", () => {
	const absent = startError({ libraries: () => ({ absent: "this build carries none" }) });
	expect([absent.code, absent.message]).toEqual(["libbpf_missing", "Load libbpf: this build carries none"]);
	const broken = startError({ libraries: () => ({ libbpfPath: "libbpf-of-nobody.so", preload: [] }) });
	expect([broken.code, broken.message]).toEqual(["libbpf_missing", "Load libbpf-of-nobody.so"]);
	expect(startError({ btfPath: "/nowhere/vmlinux" }).code).toBe("kernel_btf_missing");
});

testNeeding("kernel", "start() goes on without a program whose object is damaged, and says which", () => {
	const object = (name: string) => (name === "exit" ? new Uint8Array([1, 2, 3]) : bpfObject(name));
	using harness = new KernelHarness({ object }).start();
	Bun.spawnSync(["/bin/true"]);
	harness.poll();
	expect(harness.collector.health()).toEqual({
		status: "degraded",
		message: "Reports process exec, fork. Process exit is missing: Read the BTF of a BPF object: not a 64-bit little-endian ELF file.",
	});
	expect(harness.collector.capabilities()).toBe(all);
	expect(harness.ofType("tapio.process.exec").length).toBeGreaterThan(0);
	expect(harness.ofType("tapio.process.exit")).toEqual([]);
});

testNeeding("kernel", "start() refuses an object of another build", () => {
	const object = (name: string) => {
		const bytes = bpfObject(name);
		// A member of another name stands for one that moved.
		const at = Buffer.from(bytes.buffer).indexOf("parent_start\0");
		bytes[at] = 0x71;
		return bytes;
	};
	const error = startError({ object });
	expect(error.code).toBe("bpf_load");
	expect(error.message).toStartWith("Open the kernel programs, none of 3 did: Compare struct tapio_");
});

testNeeding(["kernel", "clang"], "start() passes on why the verifier refused a program", async () => {
	using folder = temporaryDirectory("verifier");
	const source = folder.join("bad.c");
	await Bun.write(
		source,
		`#include "include/program.h"
		#include "exit.h"
		struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, u32); __type(value, struct tapio_exit); } scratch SEC(".maps");
		SEC("?tp_btf/sched_process_exit") int process_exit_group(void *ctx) { return *(int *)(long)config.page_bytes; }`,
	);
	const compiled = Bun.spawnSync(["clang", "-O2", "-g", "-target", "bpf", "-I", sources, "-c", source, "-o", folder.join("bad.o")]);
	expect(compiled.stderr.toString()).toBe("");
	const bad = new Uint8Array(await Bun.file(folder.join("bad.o")).arrayBuffer());
	using harness = new KernelHarness({ object: (name) => (name === "exit" ? bad : bpfObject(name)) }).start();
	const { message } = harness.collector.health();
	expect(message).toContain("Process exit is missing: Load the BPF object exit: Permission denied (13)");
	expect(message).toContain("invalid mem access");
});

testNeeding("kernel", "start() does without reading kernel memory where lockdown forbids it, and says what is missing", async () => {
	using folder = temporaryDirectory("lockdown");
	const script = folder.join("script.sh");
	writeFileSync(script, "#!/bin/sh\n", { mode: 0o755 });
	using harness = new KernelHarness({ support: { ring: 0, tracing: 0, kernelReads: 22 } }).start();
	expect(harness.collector.health().status).toBe("degraded");
	expect(harness.collector.health().message).toContain("Lockdown forbids reading kernel memory");
	const { pid } = Bun.spawnSync([script, "argument"]);
	harness.poll();
	const exec = harness.ofType("tapio.process.exec").find(({ data }) => data.attributes["process.pid"] === pid);
	expect(exec?.data.attributes["process.executable.path"]).toBe(script);
	expect(exec?.data.attributes["process.command_args"]).toEqual(["/bin/sh", script, "argument"]);
	expect(exec?.data.attributes["tapio.process.interpreter.path"]).toBeUndefined();
	// What the verifier kept of the programs is free of the calls that lockdown would refuse.
	const ids = ownPrograms();
	expect(ids.length).toBe(3);
	const bpftool = Bun.which("bpftool");
	if (bpftool === null) return;
	for (const id of ids) {
		const calls =
			Bun.spawnSync([bpftool, "prog", "dump", "xlated", "id", id])
				.stdout.toString()
				.match(/^ *\d+: \(85\) call .*$/gm) ?? [];
		expect(calls.length).toBeGreaterThan(2);
		expect(calls.filter((call) => call.includes("probe_read_kernel"))).toEqual([]);
	}
});

/** Ids of the programs that this process holds. */
function ownPrograms(): string[] {
	return readdirSync("/proc/self/fd").flatMap((name) => {
		if (!readDescriptor(name).includes("bpf-prog")) return [];
		return /^prog_id:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, "utf8"))?.[1] ?? [];
	});
}

testNeeding(needs, "start() ends what a thread that was killed left attached", async () => {
	const links = () => readdirSync("/proc/self/fd").filter((name) => readDescriptor(name).includes("link")).length;
	using harness = new KernelHarness();
	const worker = new Worker(new URL("../support/kernel-worker.ts", import.meta.url));
	await new Promise((resolve) => worker.addEventListener("message", resolve, { once: true }));
	worker.terminate();
	await waitUntil("the thread's links are there", () => links() === 3);
	harness.start();
	expect(links()).toBe(3);
	Bun.spawnSync(["/bin/true"]);
	harness.poll();
	expect(harness.ofType("tapio.process.exec").length).toBeGreaterThan(0);
	harness.stop();
	expect(links()).toBe(0);
});

function readDescriptor(name: string): string {
	try {
		return readlinkSync(`/proc/self/fd/${name}`);
	} catch {
		// The listing's own descriptor.
		return "";
	}
}

testNeeding("kernel", "start() twice is an error, stop() twice is none, and a restart works", () => {
	using harness = new KernelHarness();
	const { collector } = harness;
	expect(() => collector.stop()).not.toThrow();
	expect(collector.capabilities()).toBe(0);
	expect(collector.descriptor).toBe(-1);
	expect(collector.health()).toEqual({ status: "unknown", message: "Not started." });
	for (let round = 0; round < 2; round++) {
		harness.start();
		expect(() => harness.start()).toThrow(expect.objectContaining({ code: "already_started" }));
		expect(collector.capabilities()).toBe(all);
		Bun.spawnSync(["/bin/true"]);
		harness.poll();
		expect(harness.ofType("tapio.process.exec").length).toBeGreaterThan(0);
		harness.events.length = 0;
		harness.stop();
		harness.stop();
		expect(collector.poll()).toBe(0);
		expect(collector.capabilities()).toBe(0);
	}
});

test("start() opens nothing where eBPF is switched off, and says so", () => {
	using harness = new KernelHarness({ libraries: () => ({ absent: "not to be asked" }) }, { enable_ebpf: false }).start();
	expect(harness.poll()).toBe(0);
	expect(harness.collector.capabilities()).toBe(0);
	expect(harness.collector.health().status).toBe("degraded");
	expect(harness.collector.health().message).toContain("enable_ebpf is off");
});
