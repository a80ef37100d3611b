import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { tapioRecord, tapioTask, tapioType } from "../../src/collectors/kernel/layout.gen.ts";
import { pageBytes } from "../../src/platform/ffi/bpf-ring.ts";
import { compileC, compileExecStorm, runExecStorm } from "./exec-storm.ts";
import { KernelHarness } from "./kernel-harness.ts";
import { temporaryDirectory } from "./temporary-directory.ts";

/*
 * Records real records of this kernel as fixtures: bun test/support/kernel-capture.ts. To be run again when a structure in bpf/ changes, and then
 * TAPIO_GOLDEN=write bun test src/collectors/kernel writes what the decoder makes of them.
 */
const fixtures = join(import.meta.dir, "../../src/collectors/kernel/fixtures");

/** A record as it stood in the agent's ring. */
interface Captured {
	readonly kind: number;
	readonly pid: number;
	readonly bytes: Uint8Array;
}

/** Collects everything that happens during `action`. */
async function capture(harness: KernelHarness, action: () => Promise<number | undefined>): Promise<{ pid: number | undefined; records: Captured[] }> {
	const records: Captured[] = [];
	harness.onRecord = ({ memory, offset, length, kind }) => {
		const pid = memory.words[(offset + tapioRecord.size + tapioTask.pid) >>> 2] ?? 0;
		records.push({ kind, pid, bytes: memory.bytes.slice(offset, offset + length) });
	};
	harness.start();
	const pid = await action();
	harness.stop();
	return { pid, records };
}

function save(name: string, records: readonly Captured[], kind: number, pid: number | undefined): void {
	const found = records.findLast((record) => record.kind === kind && (pid === undefined || record.pid === pid));
	if (found === undefined) throw new Error(`Nothing to record for ${name}`);
	writeFileSync(join(fixtures, `${name}.record`), found.bytes);
}

async function captureFate(program: string, cwd: string, fate: string, names: Readonly<Record<string, number>>): Promise<void> {
	const { pid, records } = await capture(new KernelHarness(), async () => {
		const child = Bun.spawn([program, fate], { stdout: "pipe", cwd });
		return Number(await child.stdout.text());
	});
	for (const [name, kind] of Object.entries(names)) save(name, records, kind, pid);
}

mkdirSync(fixtures, { recursive: true });
using folder = temporaryDirectory("capture");
const fates = folder.join("process-fates");
await compileC(join(import.meta.dir, "process-fates.c"), fates);
await captureFate(fates, folder.path, "invalid", { "exec-invalid": tapioType.exec, "exit-clean": tapioType.exit });
await captureFate(fates, folder.path, "huge", { "exec-cut": tapioType.exec });
await captureFate(fates, folder.path, "dump", { "exit-dumped": tapioType.exit });
await captureFate(fates, folder.path, "namespaces", { "fork-namespaces": tapioType.fork });
const script = "/tmp/back up.sh";
writeFileSync(script, "#!/bin/sh -e\nexit 3\n", { mode: 0o755 });
const scripted = await capture(new KernelHarness(), async () => {
	return Bun.spawnSync([script, "--password=hunter2", "--token", "t0ps3cret", "nats://user:secret@host:4222/x", "plain"]).pid;
});
save("exec-script", scripted.records, tapioType.exec, scripted.pid);
save("exit-failed", scripted.records, tapioType.exit, scripted.pid);
const storm = await compileExecStorm(folder.path);
const overflown = await capture(new KernelHarness({ ringBytes: pageBytes }), async () => {
	await runExecStorm({ program: storm, count: 100, processes: 1, marker: "gap" }, () => new Promise((resolve) => setImmediate(resolve)));
	return undefined;
});
save("gap", overflown.records, tapioType.gap, undefined);
