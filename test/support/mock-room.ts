import * as v from "valibot";
import type { CollectorDefinition, Delivery } from "../../src/collectors/collector.ts";
import { loadYamlConfig } from "../../src/config/load.ts";
import type { AgentConfig } from "../../src/config/schema.ts";
import { startChildHost } from "../../src/orchestrator/child-host.ts";
import { DataPlane } from "../../src/orchestrator/data-plane.ts";
import type { DataReport, HostOptions, RingHandle } from "../../src/orchestrator/messages.ts";
import { createFileRing, createSharedRing } from "../../src/orchestrator/ring-memory.ts";
import { type HostEvents, type Positions, Supervisor } from "../../src/orchestrator/supervisor.ts";
import { startWorkerHost } from "../../src/orchestrator/worker-host.ts";
import { systemClock } from "../../src/platform/clock.ts";
import { Memory } from "../../src/platform/ffi/memory.ts";
import { headerBytes } from "../../src/ring/layout.ts";
import { planRing } from "../../src/ring/plan.ts";
import { createLog, type LogEntry } from "../../src/telemetry/log.ts";
import { configRequest } from "./config.ts";
import { type MockScript, mockCollector } from "./mock-event-source.ts";
import { TestCollector } from "./test-collector.ts";

/** The mock under any name. A name that begins with "live" is a live source, every other one replayable. */
export function mockDefinition(name: string): CollectorDefinition {
	const delivery: Delivery = name.startsWith("live") ? "live" : "replayable";
	const parse = (config: unknown) => v.parse(mockCollector.config, config);
	return {
		...mockCollector,
		name,
		delivery,
		create: (config) => mockCollector.create(parse(config)),
		createDecoder: (config, identity, runId) => mockCollector.createDecoder(parse(config), { ...identity, node: name }, runId),
		probe: async () => undefined,
	};
}

/** One collector of a test: where it runs, and what it does. */
export interface MockRoom {
	readonly name: string;
	readonly host: "child" | "worker";
	readonly script: MockScript;
	/** Bytes of its ring. */
	readonly quota?: number;
}

/** Supervisors with real workers and processes, and the data plane behind their rings. */
export interface MockHouse extends AsyncDisposable {
	readonly sink: TestCollector;
	readonly log: readonly LogEntry[];
	readonly supervisors: ReadonlyMap<string, Supervisor>;
	/** Numbers of the records of a collector that were delivered, in order. */
	numbers(name: string): number[];
	report(): DataReport;
	/** Ends it in the order of the agent: sources first, then what is on its way. */
	stop(): Promise<DataReport>;
}

/** Starts everything as the orchestrator does. `hangAfter` in milliseconds. */
export async function mockHouse(rooms: readonly MockRoom[], hangAfter = 30_000): Promise<MockHouse> {
	const log: LogEntry[] = [];
	const logger = createLog("debug", "test", (entry) => log.push(entry));
	const sink = new TestCollector();
	const supervisors = new Map<string, Supervisor>();
	const handles = rooms.map(({ name, host, quota = 256 * 1024 }): RingHandle => {
		const plan = planRing([quota]);
		return { name, memory: host === "child" ? createFileRing(name, plan) : createSharedRing(plan), collectors: [name] };
	});
	const loaded = loadYamlConfig(configRequest({ file: "collectors: { kernel: {} }" })).config;
	const collectors = Object.fromEntries(rooms.map(({ name, script }) => [name, { enabled: true, named: true, config: script }]));
	const config: AgentConfig = { ...loaded, collectors };
	const plane = new DataPlane({ config, rings: handles, stateDirectory: undefined, runId: "run" }, [sink], {
		clock: systemClock,
		log: logger,
		random: Math.random,
		openSpool: () => Promise.reject(new Error("No state folder, no spool")),
		events: {
			laneOpen: (name, position) => supervisors.get(name)?.start({ [name]: position }),
			rewind: (name, reason) => supervisors.get(name)?.restart(reason),
			outputGone: () => {},
		},
		definitionOf: mockDefinition,
	});
	for (const [index, { name, host, script }] of rooms.entries()) {
		const handle = handles[index];
		if (handle === undefined) throw new Error("Every room has a ring");
		const start = (positions: Positions, events: HostEvents) => {
			const entry = { name, index: 0, config: script, position: positions[name] };
			const options: HostOptions = { name, ring: handle.memory, logLevel: "debug", identity: { cluster: "c", node: "n" }, collectors: [entry] };
			if (host === "worker") return startWorkerHost(options, events, new URL("./mock-worker.ts", import.meta.url));
			return startChildHost(options, events, {
				command: [process.execPath, new URL("./mock-child.ts", import.meta.url).pathname],
				name: process.execPath,
			});
		};
		const { memory } = handle;
		const ring = "shared" in memory ? Memory.over(memory.shared) : Memory.map(memory.descriptor, headerBytes);
		const settle = () => plane.settle(name);
		const { random } = Math;
		supervisors.set(name, new Supervisor({ name, collectors: [name], ring, start, settle, clock: systemClock, random, log: logger, hangAfter }));
	}
	await plane.start();
	let stopped: Promise<DataReport> | undefined;
	const stop = async () => {
		await Promise.all([...supervisors.values()].map((supervisor) => supervisor.stop()));
		await plane.stop(2000);
		return plane.report();
	};
	const house: MockHouse = {
		sink,
		log,
		supervisors,
		numbers: (name) => sink.events.filter(({ source }) => source.includes(`/${name}/`)).map(({ data }) => Number(data.attributes?.["mock.number"])),
		report: () => plane.report(),
		stop: () => (stopped ??= stop()),
		async [Symbol.asyncDispose]() {
			await house.stop();
		},
	};
	return house;
}
