import { expect, test } from "bun:test";
import * as v from "valibot";
import type { Collector, CollectorDefinition } from "../../src/collectors/collector.ts";
import { Memory } from "../../src/platform/ffi/memory.ts";
import { countersMax } from "../../src/ring/layout.ts";
import { RingReader } from "../../src/ring/reader.ts";
import { createRing } from "../../src/ring/ring.ts";
import { counterOwn, counterReceived, RingProducer } from "../../src/ring/writer.ts";
import { silentLog } from "../../src/telemetry/log.ts";
import { type Need, testNeeding } from "../support/requires.ts";
import { TestCollector, type TestEvent } from "../support/test-collector.ts";
import { waitUntil } from "../support/wait-until.ts";

/** What the contract needs to try a collector on this machine. */
export interface CollectorCase<Config> {
	readonly definition: CollectorDefinition<Config>;
	readonly needs: readonly Need[];
	/** The `config` section. Made once, before the first test that needs it. */
	config(): Promise<unknown>;
	/** Makes something happen that the collector reports, or nothing where its source has enough already. */
	stir(): void | Promise<void>;
}

const identity = { cluster: "default", node: "node.7" };
const ringCapacity = 1 << 20;
/** A poll takes some milliseconds; beyond this, generous for a busy machine, others on its thread would starve. */
const pollMillisecondsMax = 1000;

/** Proves that a collector keeps what collector.ts promises, on the real source. Returns its name. */
export function collectorContract<Config>(subject: CollectorCase<Config>): string {
	const { definition, needs } = subject;
	const { name } = definition;
	describesItself(definition);

	testNeeding(needs, `${name}: create() opens nothing, and stop() before start() is harmless`, async () => {
		const { collector } = await open(subject);
		expect(collector.name).toBe(name);
		expect(collector.capabilities()).toBe(0);
		expect(collector.health().status).toBe("unknown");
		await collector.stop();
		await collector.stop();
		expect(collector.capabilities()).toBe(0);
	});

	testNeeding(needs, `${name}: start() opens the source, poll() moves records that become whole events`, async () => {
		const { collector, start, gather, reader } = await open(subject);
		await start();
		expect(collector.capabilities()).toBeGreaterThan(0);
		expect(collector.capabilities()).toBeLessThan(1 << 7);
		expect(collector.pollInterval).toBeGreaterThan(0);
		expect(collector.descriptor).toBeGreaterThanOrEqual(-1);
		const events = await gather(1);
		for (const event of events) checkEvent(event, definition);
		expect(reader.counter(0, counterReceived)).toBeGreaterThanOrEqual(events.length);
		expect(["healthy", "degraded"]).toContain(collector.health().status);
		expect(collector.health().message).not.toBe("");
		for (const [counted, count] of Object.entries(collector.statistics())) {
			expect(counted).toMatch(/^[a-z]\w*$/);
			expect(Number.isSafeInteger(count) && count >= 0).toBe(true);
		}
		await collector.stop();
	});

	testNeeding(needs, `${name}: a second start() is an error and disturbs nothing`, async () => {
		const { collector, start, gather } = await open(subject);
		await start();
		expect(await codeOf(start)).toBe("already_started");
		await gather(1);
		await collector.stop();
	});

	testNeeding(needs, `${name}: stop() closes the source, twice if need be, and start() works again`, async () => {
		const { collector, start, gather } = await open(subject);
		for (let round = 1; round <= 2; round++) {
			await start();
			await gather(1);
			await collector.stop();
			await collector.stop();
			expect(collector.capabilities()).toBe(0);
			expect(collector.health().status).toBe("unknown");
		}
	});

	testNeeding(needs, `${name}: probe() says that this machine can give it`, async () => {
		expect(await definition.probe(v.parse(definition.config, await subject.config()))).toBeUndefined();
	});
	return name;
}

/** What a registry line says, apart from any machine. */
function describesItself<Config>({ name, summary, config, counters, events, probe }: CollectorDefinition<Config>): void {
	test(`${name}: the definition is complete`, () => {
		expect(name).toMatch(/^[a-z][a-z0-9]*$/);
		expect(summary).toMatch(/^[A-Z].*\.$/);
		expect(v.safeParse(config, {}).success).toBe(true);
		expect(v.safeParse(config, { surely_unknown_key: 1 }).success).toBe(false);
		expect(counters.length).toBeLessThanOrEqual(countersMax - counterOwn);
		expect(new Set(counters.map((counter) => counter.name)).size).toBe(counters.length);
		for (const counter of counters) expect(counter.name).toMatch(/^[a-z][a-z0-9_]*$/);
		for (const counter of counters) expect(counter.description).toMatch(/^[A-Z].*\.$/);
		expect(events.length).toBeGreaterThan(0);
		for (const event of events) expect(event.type).toMatch(/^tapio(?:\.[a-z0-9_]+)+$/);
		for (const event of events) expect(event.description).toMatch(/^[A-Z].*\.$/);
		expect(typeof probe).toBe("function");
	});
}

async function open<Config>({ definition, config, stir }: CollectorCase<Config>) {
	const memory = Memory.allocate(4096 + ringCapacity);
	createRing(memory, [ringCapacity]);
	const producer = new RingProducer(memory);
	const reader = new RingReader(memory);
	const parsed = v.parse(definition.config, await config());
	const collector: Collector = await definition.create(parsed);
	const decoder = await definition.createDecoder(parsed, identity, "run");
	const writer = producer.writer(0);
	const start = async () => await collector.start({ writer, log: silentLog, identity, position: undefined });
	const gather = async (count: number): Promise<readonly TestEvent[]> => {
		const sink = new TestCollector();
		await stir();
		await waitUntil(`${definition.name} gave ${count} events`, () => {
			const began = performance.now();
			collector.poll();
			expect(performance.now() - began).toBeLessThan(pollMillisecondsMax);
			producer.flush();
			sink.drain(reader, decoder);
			return sink.events.length >= count;
		});
		return sink.events;
	};
	return { collector, start, gather, reader };
}

function checkEvent(event: TestEvent, definition: { readonly name: string; readonly events: CollectorDefinition["events"] }): void {
	expect(event).toMatchObject({ specversion: "1.0", datacontenttype: "application/json", source: `/default/node.7/${definition.name}` });
	expect(definition.events.map(({ type }) => type)).toContain(event.type);
	expect(event.id).not.toBe("");
	expect(event.sequence).toMatch(/^\d{20}$/);
	expect(event.time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.(?:\d{6}|\d{9})Z$/);
	expect(Object.keys(event.data).length).toBeGreaterThan(0);
}

async function codeOf(action: () => Promise<void>): Promise<string | undefined> {
	try {
		await action();
		return undefined;
	} catch (error) {
		return error instanceof Error && "code" in error ? String(error.code) : String(error);
	}
}
