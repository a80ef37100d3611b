import type { AgentConfig } from "../config/schema.ts";
import type { Clock } from "../platform/clock.ts";
import { currentSurroundings } from "../platform/environment.ts";
import { openOutput } from "../platform/output.ts";
import { createNatsSink } from "../sinks/nats/sink.ts";
import type { Sink } from "../sinks/sink.ts";
import { createStdoutSink } from "../sinks/stdout/stdout-sink.ts";
import type { Log } from "../telemetry/log.ts";
import { natsOptions } from "./nats-options.ts";

/** The sinks that the configuration asks for. The first one is where events are delivered; a second one only shows them. */
export function createSinks(config: AgentConfig, clock: Clock, log: Log): readonly [Sink, ...Sink[]] {
	const { stdout } = config.sinks;
	const output = openOutput(1, clock, currentSurroundings().variables);
	const shown = (primary: boolean) => createStdoutSink({ format: stdout.format, primary }, { output, clock, log: log.child("stdout") });
	if (!config.orchestrator.nats.enabled) return [shown(true)];
	const nats = createNatsSink(natsOptions(config.orchestrator), { clock, log: log.child("nats") });
	return stdout.enabled ? [nats, shown(false)] : [nats];
}
