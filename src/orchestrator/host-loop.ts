import { describeError } from "../base/errors.ts";
import type { Collector, CollectorContext, CollectorDefinition } from "../collectors/collector.ts";
import { collectorDefinition } from "../collectors/registry.ts";
import type { Clock } from "../platform/clock.ts";
import type { Memory } from "../platform/ffi/memory.ts";
import { waitReadable } from "../platform/ffi/poll.ts";
import { collectGarbage } from "../platform/garbage.ts";
import { wordHeartbeat } from "../ring/layout.ts";
import { RingTrimmer } from "../ring/trimmer.ts";
import { RingProducer } from "../ring/writer.ts";
import { createLog } from "../telemetry/log.ts";
import { type CollectorReport, type FromHost, type HostOptions, hostError } from "./messages.ts";

/** How often health and statistics are reported, in milliseconds. */
const reportInterval = 1000;
/** Longest sleep, so that a request to stop is seen in time. */
const sleepMax = 100;
/** While records flow the parent's pipe is looked at this often, in milliseconds. */
const livenessInterval = 50;

/** What a host needs of its surroundings. */
export interface HostSurroundings {
	readonly clock: Clock;
	readonly send: (message: FromHost) => void;
	/** Descriptor whose end means that the parent is gone, or -1. */
	readonly parent: number;
	/** Finds a collector; the registry's own way where it is left out. */
	readonly definitionOf?: (name: string) => CollectorDefinition;
}

interface Hosted {
	readonly name: string;
	readonly collector: Collector;
	/** Why it does not run; it is tried again by the supervisor restarting the host. */
	failure: string | undefined;
}

/**
 * Runs collectors on this thread until the ring's control word asks to stop, the parent is gone, or one of them throws: then the host ends and the
 * supervisor starts it anew. Blocks the thread; collectors are polled in turn and share one sleep.
 */
export async function runHost(options: HostOptions, memory: Memory, surroundings: HostSurroundings): Promise<void> {
	const { clock, send } = surroundings;
	const producer = new RingProducer(memory);
	const hosted: Hosted[] = [];
	let error: unknown;
	try {
		for (const entry of options.collectors) hosted.push(await open(entry, options, producer, surroundings));
		report(hosted, send);
		loop(hosted, producer, surroundings, clock);
	} catch (cause) {
		error = cause;
	}
	for (const { collector } of hosted) await stopQuietly(collector, options, send);
	producer.flush();
	send({ type: "ended", error: error === undefined ? undefined : hostError(error, describeError) });
}

async function open(
	entry: HostOptions["collectors"][number],
	options: HostOptions,
	producer: RingProducer,
	{ send, definitionOf = collectorDefinition }: HostSurroundings,
): Promise<Hosted> {
	const definition = definitionOf(entry.name);
	const collector = await definition.create(entry.config);
	const log = createLog(options.logLevel, entry.name, (logEntry) => send({ type: "log", entry: logEntry }));
	const { identity } = options;
	const context: CollectorContext = { writer: producer.writer(entry.index), log, identity, position: entry.position };
	await collector.start(context);
	return { name: entry.name, collector, failure: undefined };
}

function loop(hosted: readonly Hosted[], producer: RingProducer, surroundings: HostSurroundings, clock: Clock): void {
	const { words } = producer.memory;
	const descriptors = [surroundings.parent, ...hosted.map(({ collector }) => collector.descriptor)];
	const trimmer = new RingTrimmer(producer);
	let reportedAt = clock.monotonic();
	let lookedAt = reportedAt;
	while (!producer.stopping) {
		let moved = 0;
		for (const { collector } of hosted) moved += collector.poll();
		producer.flush();
		words[wordHeartbeat] = (words[wordHeartbeat] ?? 0) + 1;
		const now = clock.monotonic();
		if (now - reportedAt >= reportInterval) {
			reportedAt = now;
			report(hosted, surroundings.send);
			// This thread never returns to its event loop, where the collector of garbage has its timers.
			if (trimmer.look()) collectGarbage();
		}
		if (moved > 0 && now - lookedAt < livenessInterval) continue;
		lookedAt = now;
		let sleep = sleepMax;
		for (const { collector } of hosted) sleep = Math.min(sleep, collector.pollInterval);
		const ready = waitReadable(descriptors, moved > 0 ? 0 : sleep);
		// Nothing is ever written to the parent's pipe after the start: readable means that its end is closed.
		if (ready.includes(surroundings.parent)) return;
	}
}

function report(hosted: readonly Hosted[], send: (message: FromHost) => void): void {
	const collectors: Record<string, CollectorReport> = {};
	for (const { name, collector } of hosted) {
		collectors[name] = { health: collector.health(), capabilities: collector.capabilities(), statistics: collector.statistics() };
	}
	send({ type: "report", collectors });
}

async function stopQuietly(collector: Collector, options: HostOptions, send: (message: FromHost) => void): Promise<void> {
	try {
		await collector.stop();
	} catch (cause) {
		const entry = {
			level: "warn" as const,
			component: options.name,
			message: "A collector did not stop cleanly.",
			fields: { error: describeError(cause) },
		};
		send({ type: "log", entry });
	}
}
