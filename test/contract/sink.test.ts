import { expect, test } from "bun:test";
import { systemClock } from "../../src/platform/clock.ts";
import { Memory } from "../../src/platform/ffi/memory.ts";
import { createNatsSink } from "../../src/sinks/nats/sink.ts";
import type { Sink } from "../../src/sinks/sink.ts";
import { createStdoutSink } from "../../src/sinks/stdout/stdout-sink.ts";
import { silentLog } from "../../src/telemetry/log.ts";
import { memoryOutput } from "../support/memory-output.ts";
import { NatsServer } from "../support/nats-server.ts";
import { sinkOptions } from "../support/nats-sink.ts";
import { type Need, testNeeding } from "../support/requires.ts";
import { waitUntil } from "../support/wait-until.ts";

const secret = "geheim-4711";

/** A sink with whatever it delivers to. */
interface Subject extends AsyncDisposable {
	readonly sink: Sink;
}

function event(sequence: number): Record<string, unknown> {
	const head = { specversion: "1.0", id: String(sequence), source: "/c/n/mock", type: "tapio.mock.event", time: "2026-01-02T03:04:05Z" };
	return { ...head, sequence: String(sequence).padStart(20, "0"), severitynumber: 9, severitytext: "INFO", data: { attributes: { value: secret } } };
}

function batch(number: number) {
	const text = new TextEncoder().encode(JSON.stringify([event(2 * number - 1), event(2 * number)]));
	const memory = Memory.allocate(text.length);
	memory.bytes.set(text);
	return { number, memory, offset: 0, length: text.length, count: 2, lastSequence: 2 * number, lastCursor: `c${number}`, run: 0 };
}

const nowhere = { batch: 0, cursor: "", sequence: 0, fresh: true } as const;
const identity = { collector: "mock", id: "0a1b", cluster: "c", node: "n" };

/** What every sink owes: see sink.ts. */
function sinkContract(name: string, needs: readonly Need[], open: () => Promise<Subject>): void {
	testNeeding(needs, `${name}: delivers batches in order and says where the lane stands`, async () => {
		await using subject = await open();
		const { sink } = subject;
		const { signal } = new AbortController();
		await sink.start();
		const lane = sink.lane(identity);
		expect(await lane.open(nowhere, signal)).toMatchObject({ batch: 0, sequence: 0 });
		expect(lane.batchBytesMax()).toBeGreaterThan(1000);
		for (let number = 1; number <= 3; number++)
			expect({ run: 0, ...(await lane.send(batch(number), signal)) }).toEqual({ batch: number, cursor: `c${number}`, sequence: 2 * number, run: 0 });
		expect(sink.statistics()).toMatchObject({ batches: 3, events: 6, errors: 0, retries: 0 });
		for (const amount of Object.values(sink.statistics())) expect(amount).toBeGreaterThanOrEqual(0);
		expect(sink.statistics().bytes).toBeGreaterThan(0);
		expect(sink.health().status).toBe("healthy");
	});

	testNeeding(needs, `${name}: has one word for its health before the start, while it runs and behind the end, and never a secret`, async () => {
		await using subject = await open();
		const { sink } = subject;
		expect(sink.health().status).toBe("unknown");
		await sink.start();
		await sink.start();
		await waitUntil("it is well", () => sink.health().status === "healthy");
		await sink.stop();
		expect(sink.health().status).toBe("unknown");
		for (const text of [sink.health().message, JSON.stringify(sink.statistics())]) expect(text).not.toContain(secret);
		expect(sink.health().message).toMatch(/\S/);
	});

	testNeeding(needs, `${name}: stops twice and before it started, and then takes nothing`, async () => {
		await using subject = await open();
		const { sink } = subject;
		const { signal } = new AbortController();
		await sink.start();
		const lane = sink.lane(identity);
		await lane.open(nowhere, signal);
		await sink.stop();
		await sink.stop();
		expect(await rejects(lane.send(batch(1), signal))).toBe(true);
		await using other = await open();
		await other.sink.stop();
		await other.sink.stop();
	});

	testNeeding(needs, `${name}: a send whose signal has fired rejects`, async () => {
		await using subject = await open();
		const { sink } = subject;
		const abort = new AbortController();
		await sink.start();
		const lane = sink.lane(identity);
		await lane.open(nowhere, abort.signal);
		abort.abort(new Error("over"));
		expect(await rejects(lane.send(batch(1), abort.signal))).toBe(true);
	});
}

async function rejects(work: Promise<unknown>): Promise<boolean> {
	return await work.then(
		() => false,
		() => true,
	);
}

async function natsSubject(overrides: Parameters<typeof sinkOptions>[1]): Promise<Subject> {
	const server = await NatsServer.start({ config: `authorization { users = [{ user: "agent", password: "${secret}" }] }` });
	const url = `nats://agent:${secret}@127.0.0.1:${server.port}`;
	const sink = createNatsSink(sinkOptions(url, overrides), { clock: systemClock, log: silentLog });
	return {
		sink,
		async [Symbol.asyncDispose]() {
			await sink.stop();
			await server[Symbol.asyncDispose]();
		},
	};
}

async function stdoutSubject(format: "pretty" | "json", primary: boolean): Promise<Subject> {
	const sink = createStdoutSink({ format, primary }, { output: memoryOutput(), clock: systemClock, log: silentLog });
	return { sink, [Symbol.asyncDispose]: () => sink.stop() };
}

sinkContract("nats with JetStream", ["nats"], () => natsSubject({}));
sinkContract("nats with JetStream and zstd", ["nats"], () => natsSubject({ compression: "zstd" }));
sinkContract("nats without JetStream", ["nats"], () => natsSubject({ jetstream: { enabled: false } }));
sinkContract("stdout, pretty", [], () => stdoutSubject("pretty", true));
sinkContract("stdout, json", [], () => stdoutSubject("json", true));

test("stdout, as a second sink: never rejects for want of a reader, and counts what it left out", async () => {
	await using subject = await stdoutSubject("pretty", false);
	await subject.sink.start();
	const { signal } = new AbortController();
	const lane = subject.sink.lane(identity);
	for (let number = 1; number <= 50; number++) expect(await lane.send(batch(number), signal)).toMatchObject({ batch: number });
});
