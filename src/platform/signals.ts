/** Signals that the agent handles. */
export type HandledSignal = "SIGINT" | "SIGTERM" | "SIGHUP" | "SIGPIPE";

/** Lets these signals pass without effect. */
export function ignoreSignals(signals: readonly HandledSignal[]): void {
	for (const signal of signals) process.on(signal, () => {});
}

/** Calls `handle` for each of these signals; returns a function that ends it. */
export function onSignals(signals: readonly HandledSignal[], handle: (signal: HandledSignal) => void): () => void {
	const listeners = signals.map((signal) => ({ signal, listener: () => handle(signal) }));
	for (const { signal, listener } of listeners) process.on(signal, listener);
	return () => {
		for (const { signal, listener } of listeners) process.off(signal, listener);
	};
}
