/** Longest word that {@link nearest} compares; longer ones resemble nothing. */
const wordLengthMax = 128;

/**
 * The candidate that a mistyped word most likely meant, undefined where none is close. Case, `-` and `_` do not count, so that `bufferSize` finds
 * `buffer_size`; otherwise one mistake in three letters is forgiven.
 */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
	if (word.length > wordLengthMax) return undefined;
	const wanted = simplify(word);
	let best: string | undefined;
	let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
	for (const candidate of candidates) {
		const distance = editDistance(wanted, simplify(candidate));
		if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
	}
	return best;
}

function simplify(word: string): string {
	return word.toLowerCase().replaceAll(/[-_]/g, "");
}

/** Insertions, deletions, replacements and swaps of neighbours between two words (optimal string alignment). */
export function editDistance(from: string, to: string): number {
	let beforeLast: number[] = [];
	let last = Array.from({ length: to.length + 1 }, (_, column) => column);
	for (let row = 1; row <= from.length; row++) {
		const current = [row];
		for (let column = 1; column <= to.length; column++) {
			const same = from[row - 1] === to[column - 1];
			let cost = Math.min((last[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1, (last[column - 1] ?? 0) + (same ? 0 : 1));
			const swapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
			if (swapped) cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1);
			current.push(cost);
		}
		[beforeLast, last] = [last, current];
	}
	return last[to.length] ?? 0;
}
