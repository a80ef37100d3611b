import { currentSurroundings } from "./platform/environment.ts";

// Every import below is late, so that a child process of this binary loads only what it runs.
const [command] = currentSurroundings().arguments;
if (command === "__collector-child") {
	const { runCollectorChild } = await import("./orchestrator/collector-child.ts");
	await runCollectorChild();
	// Handlers of signals would keep the process alive, and its parent waiting.
	process.exit(0);
} else {
	const { runCommandLine } = await import("./cli/command-line.ts");
	process.exitCode = await runCommandLine(currentSurroundings());
}
