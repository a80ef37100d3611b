/**
 * Watches counters that only grow, and remembers what of their growth has been reported. The reading may fail or find no room to report: then the next
 * one reports the sum. One thread.
 */
export class Losses {
	/** By kind, since the start. */
	readonly totals: number[] = [];
	readonly #reported: number[] = [];

	/** Notes the state of one counter. */
	note(type: number, total: number): void {
		this.totals[type] = total;
	}

	/** What has not been reported, by kind; undefined where nothing has come. */
	unreported(): number[] | undefined {
		const counts = this.totals.map((total, type) => (total ?? 0) - (this.#reported[type] ?? 0));
		return counts.some((count) => count > 0) ? counts : undefined;
	}

	/** Takes `counts` as reported. */
	report(counts: readonly number[]): void {
		for (const [type, count] of counts.entries()) this.#reported[type] = (this.#reported[type] ?? 0) + (count ?? 0);
	}

	/** All kinds together. */
	get total(): number {
		return this.totals.reduce((sum, total) => sum + (total ?? 0), 0);
	}
}
