import { readSync, writeSync } from "node:fs";
import { OperatingError } from "../base/errors.ts";
import { collectorDefinition } from "../collectors/registry.ts";
import { systemClock } from "../platform/clock.ts";
import { setProcessName } from "../platform/ffi/process-name.ts";
import { ignoreSignals } from "../platform/signals.ts";
import { runHost } from "./host-loop.ts";
import type { FromHost, HostOptions } from "./messages.ts";
import { openRingMemory } from "./ring-memory.ts";

/** Descriptors of a collector child, as its parent lays them. */
const commandDescriptor = 0;
const reportDescriptor = 1;
/** The memory file of the ring. */
export const ringDescriptor = 3;
/** Longest first line. */
const commandBytesMax = 1 << 20;

/**
 * A collector in a process of its own, for sources that can kill their reader. The first line of the standard input is a {@link HostOptions};
 * after it nothing comes, and the end of that pipe means that the parent is gone. Reports are lines of JSON on the standard output.
 */
export async function runCollectorChild(definitionOf = collectorDefinition): Promise<void> {
	// The terminal sends its signals to the whole group, systemd to the whole unit: the parent says when to end.
	ignoreSignals(["SIGINT", "SIGTERM", "SIGHUP"]);
	const options: HostOptions = JSON.parse(readLine(commandDescriptor));
	setProcessName(`tapio-${options.name}`);
	const send = (message: FromHost) => writeSync(reportDescriptor, `${JSON.stringify(message)}\n`);
	await runHost(options, openRingMemory(options.ring), { clock: systemClock, send, parent: commandDescriptor, definitionOf });
}

function readLine(descriptor: number): string {
	const chunk = new Uint8Array(65536);
	const parts: Uint8Array[] = [];
	let total = 0;
	for (;;) {
		const length = readSync(descriptor, chunk);
		total += length;
		if (length === 0 || total > commandBytesMax) {
			throw new OperatingError("child_command", "Read the first line from the parent", { hint: "this command is for the agent's own use" });
		}
		parts.push(chunk.slice(0, length));
		if (chunk[length - 1] === 0x0a) return Buffer.concat(parts).toString("utf8");
	}
}
