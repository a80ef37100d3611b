import { runCollectorChild } from "../../src/orchestrator/collector-child.ts";
import { mockDefinition } from "./mock-room.ts";

// The child process of the agent, but for the registry: every collector is the mock.
await runCollectorChild(mockDefinition);
process.exit(0);
