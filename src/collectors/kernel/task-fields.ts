import type { EventWriter } from "../../event/event-writer.ts";
import { literal } from "../../event/json-writer.ts";
import type { Memory } from "../../platform/ffi/memory.ts";
import type { ShapedNumber } from "./event-shapes.ts";
import { tapioCgroupMode, tapioNamespace, tapioRecord, tapioTask } from "./layout.gen.ts";
import type { NumberWriter } from "./number-writer.ts";
import { TextCache } from "./text-cache.ts";

/** Where struct tapio_task begins in every record of a program. */
export const taskAt = tapioRecord.size;

const keys = {
	pid: literal('"process.pid":'),
	namespacePid: literal('"process.vpid":'),
	parentPid: literal('"process.parent_pid":'),
	start: literal('"tapio.process.start":'),
	execId: literal('"tapio.process.exec_id":'),
	parentStart: literal('"tapio.process.parent_start":'),
	comm: literal('"tapio.process.comm":'),
	euid: literal('"process.user.id":'),
	uid: literal('"process.real_user.id":'),
	egid: literal('"tapio.process.group.id":'),
	gid: literal('"tapio.process.real_group.id":'),
	login: literal('"tapio.process.login_user.id":'),
	cgroup: literal('"tapio.cgroup.id":'),
	hierarchy: literal('"tapio.cgroup.hierarchy":'),
} as const;

/** Names of the namespaces, by enum tapio_namespace, as the kernel writes them under /proc/<pid>/ns. */
export const namespaceNames = ["pid", "mnt", "net", "user", "uts", "ipc", "cgroup"] as const;
if (namespaceNames.length !== tapioNamespace.namespaces) throw new Error("Every namespace has a name");
const namespaceKeys = namespaceNames.map((name) => literal(`"tapio.namespace.${name}":`));

const hierarchies = new Map<number, Memory>([
	[tapioCgroupMode.cgroupUnified, literal('"unified"')],
	[tapioCgroupMode.cgroupMemory, literal('"memory"')],
	[tapioCgroupMode.cgroupPids, literal('"pids"')],
]);

/** The kernel's loginuid of a process that nobody logged in for. */
const noLogin = 0xffffffff;
const commBytes = tapioTask.size - tapioTask.comm;

/** Appends bytes as a string. False where some were no UTF-8 and stand as U+FFFD. */
export function textString(event: EventWriter, memory: Memory, at: number, length: number): boolean {
	event.byte(0x22);
	const clean = event.escapedLossy(memory, at, length);
	event.byte(0x22);
	return clean;
}

/** The numbers of struct tapio_task that differ from process to process. */
export const taskNumbers: readonly ShapedNumber[] = [
	{ at: taskAt + tapioTask.pid, words: 1 },
	{ at: taskAt + tapioTask.namespacePid, words: 1 },
	{ at: taskAt + tapioTask.parentPid, words: 1 },
	{ at: taskAt + tapioTask.start, words: 2 },
	{ at: taskAt + tapioTask.execId, words: 2 },
	{ at: taskAt + tapioTask.parentStart, words: 2 },
];

/** Length of the kernel's short name of the process, up to its NUL. */
export function commLength(memory: Memory, offset: number): number {
	const start = offset + taskAt + tapioTask.comm;
	let length = 0;
	while (length < commBytes && memory.bytes[start + length] !== 0) length++;
	return length;
}

/** Words of struct tapio_task from the cgroup to its mode: who the process belongs to. */
const membershipWords = (tapioTask.cgroupMode + 4 - tapioTask.cgroup) / 4;

/** Writes the attributes that every event of a process has. One per thread. */
export class TaskWriter {
	readonly #memberships = new TextCache(membershipWords);
	readonly #numbers: NumberWriter;

	constructor(numbers: NumberWriter) {
		this.#numbers = numbers;
	}

	/** Appends `pid@start`, which names a process for ever: a pid alone comes again. */
	subject(event: EventWriter, memory: Memory, offset: number): void {
		this.#numbers.number(event, memory, offset, taskAt + tapioTask.pid);
		event.byte(0x40);
		this.#numbers.number64(event, memory, offset, taskAt + tapioTask.start);
	}

	/** Appends the attributes of the record at `offset`. False where the name held bytes that are no UTF-8. */
	write(event: EventWriter, memory: Memory, offset: number): boolean {
		const { words } = memory;
		const task = offset + taskAt;
		const numbers = this.#numbers;
		event.field(keys.pid);
		numbers.number(event, memory, offset, taskAt + tapioTask.pid);
		// 0 where the kernel did not let us look; no process has that number.
		if (words[(task + tapioTask.namespacePid) >>> 2] !== 0) {
			event.field(keys.namespacePid);
			numbers.number(event, memory, offset, taskAt + tapioTask.namespacePid);
		}
		event.field(keys.parentPid);
		numbers.number(event, memory, offset, taskAt + tapioTask.parentPid);
		event.field(keys.start);
		numbers.string64(event, memory, offset, taskAt + tapioTask.start);
		event.field(keys.execId);
		numbers.string64(event, memory, offset, taskAt + tapioTask.execId);
		event.field(keys.parentStart);
		numbers.string64(event, memory, offset, taskAt + tapioTask.parentStart);
		event.field(keys.comm);
		const clean = textString(event, memory, task + tapioTask.comm, commLength(memory, offset));
		this.#memberships.write(event, memory, task + tapioTask.cgroup, () => writeMembership(event, memory, task));
		return clean;
	}
}

function writeNumber(event: EventWriter, key: Memory, memory: Memory, at: number): void {
	event.field(key);
	event.decimal(memory.words[at >>> 2] ?? 0);
}

/** User, cgroup and namespaces, in the order of their keys. */
function writeMembership(event: EventWriter, memory: Memory, task: number): void {
	const { words } = memory;
	writeNumber(event, keys.euid, memory, task + tapioTask.euid);
	writeNumber(event, keys.uid, memory, task + tapioTask.uid);
	writeNumber(event, keys.egid, memory, task + tapioTask.egid);
	writeNumber(event, keys.gid, memory, task + tapioTask.gid);
	if (words[(task + tapioTask.loginUid) >>> 2] !== noLogin) writeNumber(event, keys.login, memory, task + tapioTask.loginUid);
	event.field(keys.cgroup);
	const cgroup = (task + tapioTask.cgroup) >>> 2;
	event.byte(0x22);
	event.decimal64(words[cgroup] ?? 0, words[cgroup + 1] ?? 0);
	event.byte(0x22);
	const hierarchy = hierarchies.get(words[(task + tapioTask.cgroupMode) >>> 2] ?? 0);
	if (hierarchy !== undefined) {
		event.field(keys.hierarchy);
		event.literal(hierarchy);
	}
	for (const [index, key] of namespaceKeys.entries()) writeNumber(event, key, memory, task + tapioTask.namespaces + 4 * index);
}
