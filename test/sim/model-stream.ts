import type { Msg } from "@nats-io/transport-node";
import { decodeCursor } from "../../src/sinks/nats/headers.ts";
import type { StoredBatch } from "../../src/sinks/nats/stored.ts";

/** A message as the model stream holds it. */
export interface ModelMessage extends StoredBatch {
	readonly id: string;
	readonly body: string;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** What a server answers. */
export type ModelReply = Pick<Msg, "data" | "headers">;

/**
 * A stream of one subject as nats-server keeps it: ids are known for the length of the duplicate window, and are looked at before the guard.
 * Time is the caller's, in milliseconds.
 */
export class ModelStream {
	readonly messages: ModelMessage[] = [];
	/** Everything that was ever stored, in that order. */
	readonly history: ModelMessage[] = [];
	/** Answers that are errors, of those asked for by the test. */
	full = false;
	readonly #name: string;
	readonly #windowMs: number;
	readonly #ids = new Map<string, { readonly sequence: number; readonly at: number }>();
	#sequence = 0;

	constructor(name: string, windowMs: number) {
		this.#name = name;
		this.#windowMs = windowMs;
	}

	/** Takes a message and answers. */
	take(headers: Uint8Array, body: Uint8Array, now: number): ModelReply {
		const fields = new Map(
			decoder
				.decode(headers)
				.split("\r\n")
				.slice(1)
				.map((line) => {
					const colon = line.indexOf(":");
					return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
				}),
		);
		const field = (name: string) => fields.get(name) ?? "";
		const id = field("Nats-Msg-Id");
		const known = this.#ids.get(id);
		if (known !== undefined && now - known.at <= this.#windowMs) return answer({ stream: this.#name, seq: known.sequence, duplicate: true });
		if (this.full) return answer({ error: { code: 503, err_code: 10077, description: "maximum messages exceeded" } });
		const last = this.messages.at(-1)?.streamSequence ?? 0;
		if (Number(field("Nats-Expected-Last-Subject-Sequence")) !== last) {
			return answer({ error: { code: 400, err_code: 10071, description: `wrong last sequence: ${last}` } });
		}
		const message: ModelMessage = {
			id,
			streamSequence: ++this.#sequence,
			lane: field("Tapio-Lane"),
			number: Number(field("Tapio-Batch")),
			count: Number(field("Tapio-Count")),
			cursor: decodeCursor(field("Tapio-Last-Cursor")),
			sequence: Number(field("Tapio-Last-Sequence")),
			run: Number(field("Tapio-Run")),
			published: Number(field("Tapio-Published")),
			body: decoder.decode(body),
		};
		this.messages.push(message);
		this.history.push(message);
		this.#ids.set(id, { sequence: message.streamSequence, at: now });
		return answer({ stream: this.#name, seq: message.streamSequence });
	}

	/** Goes back to an earlier state, as a server that lost its power: the newest messages are gone, and all that it knew of them. */
	goBack(count: number): void {
		for (const { id } of this.messages.splice(Math.max(0, this.messages.length - count))) {
			this.#ids.delete(id);
			this.history.splice(
				this.history.findLastIndex((message) => message.id === id),
				1,
			);
		}
		this.#sequence = this.messages.at(-1)?.streamSequence ?? this.#sequence;
	}

	/** Removes what retention would remove: the oldest messages, perhaps all. */
	expire(count: number): void {
		this.messages.splice(0, count);
	}
}

function answer(value: object): ModelReply {
	return { data: encoder.encode(JSON.stringify(value)) };
}
