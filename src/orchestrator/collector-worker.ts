import { assert } from "../base/assert.ts";
import { systemClock } from "../platform/clock.ts";
import { runHost } from "./host-loop.ts";
import type { FromHost, HostOptions } from "./messages.ts";
import { openRingMemory } from "./ring-memory.ts";

declare const self: Worker;

/** Entry of the worker that runs collectors on a thread of its own: the first message starts it, the ring's control word ends it. */
self.onmessage = (event: MessageEvent<HostOptions>) => {
	const options = event.data;
	assert(options.collectors.length > 0, "A host has a collector");
	const send = (message: FromHost) => self.postMessage(message);
	void runHost(options, openRingMemory(options.ring), { clock: systemClock, send, parent: -1 });
};
