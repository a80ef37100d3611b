/** Numbers from 0 to `count` - 1. */
export function upTo(count: number): number[] {
	return Array.from({ length: count }, (_, index) => index);
}

/** The value below which the share `share` (0 to 1) of the values lies. */
export function quantile(values: readonly number[], share: number): number {
	const sorted = values.toSorted((a, b) => a - b);
	return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
