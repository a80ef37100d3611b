import { sourceCapabilities } from "../collector.ts";
import { ExecDecoder } from "./decode-exec.ts";
import { ExitDecoder } from "./decode-exit.ts";
import { ForkDecoder } from "./decode-fork.ts";
import { tapioExec, tapioExit, tapioFork, tapioType } from "./layout.gen.ts";
import type { MakeRecordDecoder } from "./record-decoder.ts";

/** The switches of the configuration's `events`. */
export type EventSwitch = "exec" | "exit" | "fork";

/** One way to attach a program. The first whose tracepoint has that many arguments in the running kernel is taken. */
export interface ProgramVariant {
	/** Name of the function in the object. */
	readonly program: string;
	readonly tracepoint: string;
	readonly arguments: number;
}

/** A kernel program: its pair of files in bpf/, and how its records become events. */
export interface KernelProgram {
	/** bpf/<object>.h and bpf/<object>.bpf.c. */
	readonly object: string;
	readonly event: EventSwitch;
	/** Ring that its records go to, by the name of the map. */
	readonly ring: string;
	/** Number of its records, of enum tapio_type. */
	readonly type: number;
	/** Bytes of its records; the texts behind are the rest. */
	readonly bytesMin: number;
	/** Bits of the collector's capabilities that it gives. */
	readonly capabilities: number;
	readonly variants: readonly ProgramVariant[];
	readonly eventType: string;
	readonly description: string;
	readonly makeDecoder: MakeRecordDecoder;
}

/** What every program on a tracepoint of the scheduler gives. */
const processCapabilities = sourceCapabilities.process | sourceCapabilities.realtime | sourceCapabilities.kernelLevel | sourceCapabilities.systemWide;

/** Every program of this build. A new one is its pair of files, a decoder and an entry here. */
export const programs: readonly KernelProgram[] = [
	{
		object: "exec",
		event: "exec",
		ring: "lifecycle",
		type: tapioType.exec,
		bytesMin: tapioExec.size,
		capabilities: processCapabilities,
		variants: [{ program: "process_exec", tracepoint: "sched_process_exec", arguments: 3 }],
		eventType: "tapio.process.exec",
		description: "A process replaced its image: path, arguments, parent, user, cgroup and namespaces.",
		makeDecoder: (head, tools) => new ExecDecoder(head, tools),
	},
	{
		object: "exit",
		event: "exit",
		ring: "lifecycle",
		type: tapioType.exit,
		bytesMin: tapioExit.size,
		capabilities: processCapabilities,
		variants: [
			{ program: "process_exit_group", tracepoint: "sched_process_exit", arguments: 2 },
			{ program: "process_exit_leader", tracepoint: "sched_process_exit", arguments: 1 },
		],
		eventType: "tapio.process.exit",
		description: "A process ended: exit code or signal, duration, CPU time, memory at its peak.",
		makeDecoder: (head, tools) => new ExitDecoder(head, tools),
	},
	{
		object: "fork",
		event: "fork",
		ring: "lifecycle",
		type: tapioType.fork,
		bytesMin: tapioFork.size,
		capabilities: processCapabilities,
		variants: [{ program: "process_fork", tracepoint: "sched_process_fork", arguments: 2 }],
		eventType: "tapio.process.fork",
		description: "A process was made: parent, child, and which namespaces are new.",
		makeDecoder: (head, tools) => new ForkDecoder(head, tools),
	},
];
