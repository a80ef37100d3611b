import { expect } from "bun:test";
import type { NatsServer, ReadMessage } from "./nats-server.ts";
import { waitUntil } from "./wait-until.ts";

/** An event as a consumer of the stream sees it. */
export interface CloudEvent {
	readonly specversion: string;
	readonly id: string;
	readonly source: string;
	readonly type: string;
	readonly time: string;
	readonly subject?: string;
	readonly sequence: string;
	readonly severitytext: string;
	readonly truncated?: boolean;
	readonly data: {
		readonly raw?: Readonly<Record<string, unknown>>;
		readonly metadata?: Readonly<Record<string, string>>;
		readonly attributes?: Readonly<Record<string, unknown>>;
		readonly altered?: readonly Readonly<Record<string, unknown>>[];
	};
}

const decoder = new TextDecoder();

/** The events of one message, in order. */
export function eventsOf(message: ReadMessage): readonly CloudEvent[] {
	const body = message.headers.get("Content-Encoding") === "zstd" ? Bun.zstdDecompressSync(message.body) : message.body;
	const events: CloudEvent[] = JSON.parse(decoder.decode(body));
	const count = Number(message.headers.get("Tapio-Count"));
	if (events.length !== count) throw new Error(`A message says that it holds ${count} events and holds ${events.length}`);
	return events;
}

/** Every event of a stream on one subject, in order. Throws where a message id is missing or repeated, or sequences are not contiguous. */
export async function readEvents(server: NatsServer, subject: string, stream = "TAPIO"): Promise<readonly CloudEvent[]> {
	const messages = (await server.read(stream)).filter((message) => message.subject === subject);
	const ids = new Set(messages.map(({ headers }) => headers.get("Nats-Msg-Id")));
	if (ids.has(undefined) || ids.size !== messages.length) throw new Error("A message has no id of its own");
	return messages.flatMap(eventsOf);
}

/** Sequence of the last event that the stream holds on a subject; 0 for none, or while there is no stream. */
export async function deliveredUpTo(server: NatsServer, subject: string, stream = "TAPIO"): Promise<number> {
	try {
		await using nats = await server.client();
		// A message is asked for only once there is one: nats-server 2.9 panics where it is asked while it makes the stream.
		const info = (await nats.request(`$JS.API.STREAM.INFO.${stream}`)).json<{ state?: { messages?: number } }>();
		if ((info.state?.messages ?? 0) === 0) return 0;
		const reply = await nats.request(`$JS.API.STREAM.MSG.GET.${stream}`, JSON.stringify({ last_by_subj: subject }));
		const { message } = reply.json<{ message?: { hdrs?: string } }>();
		const headers = Buffer.from(message?.hdrs ?? "", "base64").toString();
		return Number(/Tapio-Last-Sequence: *(\d+)/.exec(headers)?.[1] ?? 0);
	} catch {
		// The server has no JetStream, or is just starting.
		return 0;
	}
}

/** Resolves when the stream holds events up to `sequence` on a subject. */
export async function delivered(server: NatsServer, subject: string, sequence: number, deadline = 30_000): Promise<void> {
	await waitUntil(`${sequence} events are delivered`, async () => (await deliveredUpTo(server, subject)) >= sequence, deadline);
}

/** TAPIO_SEQ of every journal event, in order. */
export function numbersOf(events: readonly CloudEvent[]): number[] {
	return events.filter(({ type }) => type === "tapio.systemd.entry").map(({ data }) => Number(data.raw?.["TAPIO_SEQ"]));
}

/** Expects two long lists to be equal and shows only the first difference: a diff of thousands of events takes minutes. */
export function expectSame(actual: readonly unknown[], expected: readonly unknown[]): void {
	const first = expected.findIndex((value, index) => !Bun.deepEquals(actual[index], value));
	if (first !== -1) expect({ index: first, value: actual[first] }).toEqual({ index: first, value: expected[first] });
	expect(actual.length).toBe(expected.length);
}
