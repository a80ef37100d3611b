import { runHost } from "../../src/orchestrator/host-loop.ts";
import type { FromHost, HostOptions } from "../../src/orchestrator/messages.ts";
import { openRingMemory } from "../../src/orchestrator/ring-memory.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { mockDefinition } from "./mock-room.ts";

declare const self: Worker;

// The worker of the agent, but for the registry: every collector is the mock.
self.onmessage = (event: MessageEvent<HostOptions>) => {
	const send = (message: FromHost) => self.postMessage(message);
	void runHost(event.data, openRingMemory(event.data.ring), { clock: systemClock, send, parent: -1, definitionOf: mockDefinition });
};
