import { assert } from "../../base/assert.ts";
import { OperatingError } from "../../base/errors.ts";
import type { Batch, LaneIdentity } from "../sink.ts";

/** Most bytes of an encoded cursor. A source with longer ones cannot be resumed from a header. */
export const cursorBytesMax = 1024;

/** Bytes of the numbers, the guard and the encoding that change from batch to batch, with their names. */
const changingBytesMax = 512;

const encoder = new TextEncoder();

/** Writes the headers of one lane's batches. What never changes is encoded once. */
export interface HeaderWriter {
	/**
	 * Headers of a batch as they go over the wire. `guard` is the stream's last sequence on the subject; undefined without JetStream. `published` is what the lane
	 * will have delivered with this batch, in events.
	 */
	encode(batch: Batch, guard: number | undefined, compressed: boolean, published: number): Uint8Array;
	/** Most bytes that `encode` returns. */
	readonly bytesMax: number;
}

/** Prepares the headers of a lane. `stream` is undefined without JetStream. */
export function createHeaderWriter(identity: LaneIdentity, stream: string | undefined): HeaderWriter {
	assert(/^[0-9a-f]+$/.test(identity.id), "A lane id is lower-case hexadecimal");
	let head = "NATS/1.0\r\ncontent-type: application/cloudevents-batch+json\r\n";
	head += `Tapio-Cluster: ${headerValue(identity.cluster)}\r\nTapio-Node: ${headerValue(identity.node)}\r\n`;
	head += `Tapio-Collector: ${headerValue(identity.collector)}\r\nTapio-Lane: ${identity.id}\r\n`;
	// The subject may be taken by another stream, of which `ASK` would know nothing: the server then refuses.
	if (stream !== undefined) head += `Nats-Expected-Stream: ${stream}\r\n`;
	return {
		bytesMax: encoder.encode(head).length + identity.id.length + cursorBytesMax + changingBytesMax,
		encode(batch, guard, compressed, published) {
			const cursor = encodeCursor(batch.lastCursor);
			let text = `${head}Tapio-Batch: ${batch.number}\r\nTapio-Count: ${batch.count}\r\nTapio-Last-Sequence: ${batch.lastSequence}\r\n`;
			text += `Tapio-Published: ${published}\r\n`;
			if (batch.run > 0) text += `Tapio-Run: ${batch.run}\r\n`;
			if (cursor !== "") text += `Tapio-Last-Cursor: ${cursor}\r\n`;
			if (compressed) text += "Content-Encoding: zstd\r\n";
			text += `Nats-Msg-Id: ${identity.id}-${batch.number}\r\n`;
			if (guard !== undefined) text += `Nats-Expected-Last-Subject-Sequence: ${guard}\r\n`;
			return encoder.encode(`${text}\r\n`);
		},
	};
}

/** A name as it is, but for control characters, which would end the header: they become `%XX`. */
export function headerValue(text: string): string {
	return text.replace(/\p{Cc}/gu, percent);
}

/** A cursor so that it comes back exactly: control characters, spaces and `%` become `%XX`. Throws OperatingError "nats_cursor" where it is too long. */
export function encodeCursor(cursor: string): string {
	const text = cursor.replace(/[\p{Cc}\s%]/gu, percent);
	if (encoder.encode(text).length > cursorBytesMax) {
		throw new OperatingError("nats_cursor", `A cursor has more than ${cursorBytesMax} bytes`, { bytes: text.length });
	}
	return text;
}

/** The opposite of {@link encodeCursor}. Text that is no encoding means itself. */
export function decodeCursor(text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		// Written by something else than this agent: the caller compares it and finds it foreign.
		return text;
	}
}

function percent(text: string): string {
	return Array.from(encoder.encode(text), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("");
}
