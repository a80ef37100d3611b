import { createMemoryFile, Memory } from "../platform/ffi/memory.ts";
import { headerBytes } from "../ring/layout.ts";
import type { RingPlan } from "../ring/plan.ts";
import { createRing } from "../ring/ring.ts";
import type { RingMemory } from "./messages.ts";

/** Maps or wraps the memory of a ring, in any thread that was handed it. */
export function openRingMemory(ring: RingMemory): Memory {
	return "shared" in ring ? Memory.over(ring.shared) : Memory.map(ring.descriptor, ring.length);
}

/** Makes a ring for a worker of this process. */
export function createSharedRing(plan: RingPlan): RingMemory {
	const shared = new SharedArrayBuffer(headerBytes + plan.capacity);
	createRing(Memory.over(shared), plan.quotas);
	return { shared };
}

/** Makes a ring for a child process: a memory file, open in this process for as long as it lives. Throws OperatingError "memfd" or "mmap". */
export function createFileRing(name: string, plan: RingPlan): RingMemory {
	const length = headerBytes + plan.capacity;
	const descriptor = createMemoryFile(`tapio-${name}`, length);
	using memory = Memory.map(descriptor, length);
	createRing(memory, plan.quotas);
	return { descriptor, length };
}
