import type { EventWriter } from "../../event/event-writer.ts";
import { literal } from "../../event/json-writer.ts";
import type { Memory } from "../../platform/ffi/memory.ts";
import { tapioCgroupMode, tapioNamespace, tapioRecord, tapioTask } from "./layout.gen.ts";
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

/** Appends a 64-bit field as a string of decimal digits. */
export function decimalString(event: EventWriter, memory: Memory, at: number): void {
	const { words } = memory;
	event.byte(0x22);
	event.decimal64(words[at >>> 2] ?? 0, words[(at >>> 2) + 1] ?? 0);
	event.byte(0x22);
}

/** Appends bytes as a string. False where some were no UTF-8 and stand as U+FFFD. */
export function textString(event: EventWriter, memory: Memory, at: number, length: number): boolean {
	event.byte(0x22);
	const clean = event.escapedLossy(memory, at, length);
	event.byte(0x22);
	return clean;
}

/** Appends `pid@start`, which names a process for ever: a pid alone comes again. */
export function writeSubject(event: EventWriter, memory: Memory, offset: number): void {
	const { words } = memory;
	const start = (offset + taskAt + tapioTask.start) >>> 2;
	event.decimal(words[(offset + taskAt + tapioTask.pid) >>> 2] ?? 0);
	event.byte(0x40);
	event.decimal64(words[start] ?? 0, words[start + 1] ?? 0);
}

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

	/** Appends the attributes of the record at `offset`. False where the name held bytes that are no UTF-8. */
	write(event: EventWriter, memory: Memory, offset: number): boolean {
		const { words } = memory;
		const task = offset + taskAt;
		writeNumber(event, keys.pid, memory, task + tapioTask.pid);
		// 0 where the kernel did not let us look; no process has that number.
		if (words[(task + tapioTask.namespacePid) >>> 2] !== 0) writeNumber(event, keys.namespacePid, memory, task + tapioTask.namespacePid);
		writeNumber(event, keys.parentPid, memory, task + tapioTask.parentPid);
		event.field(keys.start);
		decimalString(event, memory, task + tapioTask.start);
		event.field(keys.execId);
		decimalString(event, memory, task + tapioTask.execId);
		event.field(keys.parentStart);
		decimalString(event, memory, task + tapioTask.parentStart);
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
	decimalString(event, memory, task + tapioTask.cgroup);
	const hierarchy = hierarchies.get(words[(task + tapioTask.cgroupMode) >>> 2] ?? 0);
	if (hierarchy !== undefined) {
		event.field(keys.hierarchy);
		event.literal(hierarchy);
	}
	for (const [index, key] of namespaceKeys.entries()) writeNumber(event, key, memory, task + tapioTask.namespaces + 4 * index);
}
