import { closeSync, readlinkSync } from "node:fs";
import { listDirectory } from "./files.ts";

/** What keeps a program attached, as /proc/self/fd names it; the second on kernels before 5.13. */
const linkNames: readonly string[] = ["anon_inode:bpf_link", "anon_inode:bpf-link", "anon_inode:bpf-raw-tracepoint"];

/**
 * Closes every BPF link of this process, and returns how many those were: a thread that is ended by force leaves its links behind, and their programs
 * would run on beside those of its successor. To be called where no thread of the process uses BPF.
 */
export function closeStrayLinks(): number {
	let closed = 0;
	for (const name of listDirectory("/proc/self/fd") ?? []) {
		if (!linkNames.includes(targetOf(name))) continue;
		closeSync(Number(name));
		closed++;
	}
	return closed;
}

function targetOf(descriptor: string): string {
	try {
		return readlinkSync(`/proc/self/fd/${descriptor}`);
	} catch {
		// The descriptor of the listing itself is gone by now.
		return "";
	}
}
