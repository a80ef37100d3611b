import { assert } from "../../base/assert.ts";
import { libc } from "./libc.ts";

/** Descriptors watched at once. */
const descriptorsMax = 32;
const pollIn = 1;
const none: readonly number[] = [];

// One struct pollfd per descriptor: int fd, short events, short revents (poll(2)).
const memory = new Int32Array(new ArrayBuffer(descriptorsMax * 8));

/**
 * Sleeps at most `milliseconds` until one of the descriptors is readable or closed at its other end, and returns those that are. Negative
 * descriptors are passed over. Blocks the thread.
 */
export function waitReadable(descriptors: readonly number[], milliseconds: number): readonly number[] {
	assert(descriptors.length <= descriptorsMax, "At most 32 descriptors are watched");
	assert(milliseconds >= 0, "A sleep has an end");
	for (let index = 0; index < descriptors.length; index++) {
		memory[index * 2] = descriptors[index] ?? -1;
		memory[index * 2 + 1] = pollIn;
	}
	// A signal ends the sleep early with EINTR: the caller looks again anyway.
	if (libc.poll(memory, descriptors.length, Math.ceil(milliseconds)) <= 0) return none;
	return descriptors.filter((_, index) => (memory[index * 2 + 1] ?? 0) >>> 16 !== 0);
}
