/** Collects the garbage of this thread now and gives free memory back to the kernel: about a millisecond for the heap of a collector. */
export function collectGarbage(): void {
	Bun.gc(true);
}
