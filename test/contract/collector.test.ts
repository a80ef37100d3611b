import { afterAll, expect, test } from "bun:test";
import { kernelCollector } from "../../src/collectors/kernel/definition.ts";
import { collectorDefinitions } from "../../src/collectors/registry.ts";
import { systemdCollector } from "../../src/collectors/systemd/definition.ts";
import { mockCollector } from "../support/mock-event-source.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { collectorContract } from "./collector.ts";

const directory = temporaryDirectory("journal");
afterAll(() => directory[Symbol.dispose]());

/** A small journal of its own, in a folder for the collector to read. */
async function journalFolder(): Promise<string> {
	const entries = Array.from({ length: 20 }, (_, index) => {
		const stamp = 1_767_323_045_000_000 + index;
		return `__REALTIME_TIMESTAMP=${stamp}\n__MONOTONIC_TIMESTAMP=${stamp}\n_BOOT_ID=0123456789abcdef0123456789abcdef\nMESSAGE=entry ${index}\n_PID=${index}\n_SYSTEMD_UNIT=kubelet.service\nPRIORITY=6\n`;
	});
	const command = ["/lib/systemd/systemd-journal-remote", `--output=${directory.join("system.journal")}`, "-"];
	const child = Bun.spawn(command, { stdin: new TextEncoder().encode(`${entries.join("\n")}\n`), stdout: "ignore", stderr: "pipe" });
	if ((await child.exited) !== 0) throw new Error(await child.stderr.text());
	return directory.path;
}

let journal: Promise<string> | undefined;

const held = [
	collectorContract({
		definition: systemdCollector,
		needs: ["journal"],
		async config() {
			journal ??= journalFolder();
			return { path: await journal, start: "head", units: [] };
		},
		stir: () => {},
	}),
	collectorContract({
		definition: kernelCollector,
		needs: ["kernel"],
		config: async () => ({}),
		stir: () => void Bun.spawnSync(["/bin/true"]),
	}),
];
collectorContract({ definition: mockCollector, needs: [], config: async () => ({ steps: [{ emit: 20 }] }), stir: () => {} });

test("every collector of the registry is held to the contract", () => {
	expect(collectorDefinitions.map(({ name }) => name).sort()).toEqual(held.sort());
});
