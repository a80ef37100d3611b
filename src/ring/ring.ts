import { assert } from "../base/assert.ts";
import { OperatingError } from "../base/errors.ts";
import type { Memory } from "../platform/ffi/memory.ts";
import {
	capacityMax,
	capacityMin,
	collectorsMax,
	headerBytes,
	quotaStride,
	ringBytes,
	ringMagic,
	ringVersion,
	wordCapacity,
	wordCollectors,
	wordMagic,
	wordQuota,
	wordVersion,
} from "./layout.ts";

assert(capacityMin % 4096 === 0 && headerBytes === 4096, "Header and data are whole pages, so that a memfd can hold them");

/** Makes zeroed `memory` a ring. `quotas` has one entry per collector, in bytes. The creator's thread, before anybody else looks. */
export function createRing(memory: Memory, quotas: readonly number[]): void {
	const capacity = memory.length - headerBytes;
	assert(capacity >= capacityMin && capacity <= capacityMax && (capacity & (capacity - 1)) === 0, "The capacity is a power of two in range");
	assert(quotas.length > 0 && quotas.length <= collectorsMax, "A ring serves 1 to 16 collectors");
	for (const [index, quota] of quotas.entries()) {
		assert(quota > 0 && quota <= capacity, "A quota fits the ring");
		memory.words[wordQuota + index * quotaStride] = quota;
	}
	memory.words[wordCapacity] = capacity;
	memory.words[wordCollectors] = quotas.length;
	memory.words[wordVersion] = ringVersion;
	memory.words[wordMagic] = ringMagic;
}

/** What a ring says of itself. Throws OperatingError "ring_layout" where `memory` is not a ring of this version. */
export function openRing(memory: Memory): { readonly capacity: number; readonly collectors: number } {
	const { words } = memory;
	if (words[wordMagic] !== ringMagic || words[wordVersion] !== ringVersion) {
		throw new OperatingError("ring_layout", `Open a ring: magic ${words[wordMagic]}, version ${words[wordVersion]}`, {
			hint: "both sides must be the same build of the agent",
		});
	}
	const capacity = words[wordCapacity] ?? 0;
	const collectors = words[wordCollectors] ?? 0;
	assert(memory.length === ringBytes(capacity), "The ring fills its memory");
	assert(capacity >= capacityMin && capacity <= capacityMax && (capacity & (capacity - 1)) === 0, "The capacity is a power of two in range");
	assert(collectors > 0 && collectors <= collectorsMax, "A ring serves 1 to 16 collectors");
	return { capacity, collectors };
}

/** The smallest power of two that holds `bytes`, within the limits of a ring. */
export function ringCapacity(bytes: number): number {
	let capacity = capacityMin;
	while (capacity < bytes && capacity < capacityMax) capacity *= 2;
	return capacity;
}
