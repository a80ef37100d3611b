/** One line of the benchmark table. What a benchmark does not measure is absent. */
export interface BenchRow {
	/** What was done: "ring, 256 B, two threads". */
	readonly name: string;
	/** CPU seconds of everybody who takes part, per million records. 1.0 is a microsecond each. */
	readonly cpuSecondsPerMillion: number;
	/** CPU compared with the reference named in the note; below 1 is cheaper. */
	readonly ratio?: number;
	/** Resident memory of the agent's side at its highest, in MiB. */
	readonly rssMb?: number;
	/** Records that did not arrive. */
	readonly lost?: number;
	/** What a reader needs to know, in one phrase. */
	readonly note: string;
}

/** CPU seconds of this process so far, over all its threads. */
export function processCpuSeconds(): number {
	const { user, system } = process.cpuUsage();
	return (user + system) / 1e6;
}

/** Runs `round` several times and returns the lowest CPU time of one, in seconds: the rest is the machine's noise. */
export function leastCpuSeconds(rounds: number, round: () => void): number {
	let least = Number.POSITIVE_INFINITY;
	for (let index = 0; index < rounds; index++) {
		const before = processCpuSeconds();
		round();
		least = Math.min(least, processCpuSeconds() - before);
	}
	return least;
}
