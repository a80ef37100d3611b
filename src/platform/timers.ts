/** Calls `call` once after `duration` milliseconds on this thread's event loop; the function returned cancels it. Keeps the process alive until then. */
export function runLater(duration: number, call: () => void): () => void {
	const timer = setTimeout(call, duration);
	return () => clearTimeout(timer);
}

/** Calls `call` once, behind what this thread's event loop has ready; the function returned cancels it. Keeps the process alive until then. */
export function runSoon(call: () => void): () => void {
	const immediate = setImmediate(call);
	return () => clearImmediate(immediate);
}

/** Calls `call` every `duration` milliseconds on this thread's event loop; the function returned ends it. Does not keep the process alive. */
export function runEvery(duration: number, call: () => void): () => void {
	const timer = setInterval(call, duration);
	timer.unref();
	return () => clearInterval(timer);
}
