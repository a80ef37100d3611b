import type { FromHost, HostOptions } from "./messages.ts";
import type { CollectorHost, HostEvents } from "./supervisor.ts";

/** Starts collectors on a thread of their own in this process. */
export function startWorkerHost(options: HostOptions, events: HostEvents, entry = new URL("./collector-worker.ts", import.meta.url)): CollectorHost {
	const worker = new Worker(entry.href, { name: options.name });
	const { promise: exited, resolve } = Promise.withResolvers<void>();
	let isEnded = false;
	const end = (error: Extract<FromHost, { type: "ended" }>["error"]) => {
		if (isEnded) return;
		isEnded = true;
		worker.terminate();
		events.onEnded(error);
		resolve();
	};
	worker.onmessage = (event: MessageEvent<FromHost>) => {
		const message = event.data;
		if (message.type === "ended") end(message.error);
		else events.onMessage(message);
	};
	worker.onerror = (event: ErrorEvent) => end({ code: "worker_error", message: event.message });
	worker.postMessage(options);
	// Its successor writes into the same ring: not before the last turn of this one is over.
	worker.addEventListener("close", () => end({ code: "worker_killed", message: "the thread did not answer and was ended" }));
	return { description: "a thread", kill: () => worker.terminate(), exited };
}
