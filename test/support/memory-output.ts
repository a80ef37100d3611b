import type { Output } from "../../src/platform/output.ts";

/** An output whose reader a test plays: it keeps what was written, and can stand still, take little, or fail. */
export interface MemoryOutput extends Output {
	/** What was taken so far. */
	text(): string;
	/** Nothing is taken from now on, until `release`. */
	hold(): void;
	release(): void;
	/** The next writes fail with these system errors, one each. */
	failNext(...codes: string[]): void;
	/** Bytes taken by one write at most. */
	takeAtMost(bytes: number): void;
}

/** An output of a pipe, or of a terminal where `columns` is given. */
export function memoryOutput(columns = 0): MemoryOutput {
	const decoder = new TextDecoder();
	const failures: string[] = [];
	let written = "";
	let most = Number.POSITIVE_INFINITY;
	let gate: PromiseWithResolvers<void> | undefined;
	return {
		isTerminal: columns > 0,
		colors: false,
		columns: () => columns,
		async write(bytes) {
			await gate?.promise;
			const code = failures.shift();
			if (code !== undefined) throw Object.assign(new Error(`${code}: write`), { code });
			const taken = bytes.subarray(0, Math.min(bytes.length, most));
			written += decoder.decode(taken, { stream: true });
			return taken.length;
		},
		text: () => written,
		hold() {
			gate ??= Promise.withResolvers();
		},
		release() {
			gate?.resolve();
			gate = undefined;
		},
		failNext: (...codes) => void failures.push(...codes),
		takeAtMost(bytes) {
			most = bytes;
		},
	};
}
