import type { Msg } from "@nats-io/transport-node";
import { OperatingError } from "../../base/errors.ts";

/** What the stream said to a batch. */
export type Reply =
	| { readonly kind: "stored"; readonly streamSequence: number }
	/** The id is known: it was stored before, at `streamSequence`; 0 where it is being stored just now. */
	| { readonly kind: "duplicate"; readonly streamSequence: number }
	/** The guard does not fit: the subject has moved on. */
	| { readonly kind: "moved" }
	| { readonly kind: "too_large"; readonly error: OperatingError }
	/** Not stored, and may be later: close, wait, ask, send again. */
	| { readonly kind: "refused"; readonly error: OperatingError };

const storeCode = {
	wrongLastSequence: 10071,
	wrongLastSequenceUnknown: 10164,
	tooLarge: 10054,
	full: 10077,
	resources: 10023,
	otherStream: 10060,
} as const;

const decoder = new TextDecoder();

/** Reads the answer to a batch. What is no answer of a stream is a refusal. */
export function readReply(message: Pick<Msg, "data" | "headers">, stream: string): Reply {
	if (message.data.length === 0 && message.headers?.code === 503) {
		return refused("nats_no_stream", "No stream took the batch", "the stream was deleted, or its leader is being elected");
	}
	let value: unknown;
	try {
		value = JSON.parse(decoder.decode(message.data));
	} catch (cause) {
		return { kind: "refused", error: new OperatingError("nats_refused_batch", "The answer to a batch is not JSON", { cause }) };
	}
	if (typeof value !== "object" || value === null) return refused("nats_refused_batch", "The answer to a batch is no object", undefined);
	if ("error" in value) return readError(value.error, stream);
	const streamSequence = "seq" in value && typeof value.seq === "number" ? value.seq : 0;
	if ("duplicate" in value && value.duplicate === true) return { kind: "duplicate", streamSequence };
	if (streamSequence > 0 && "stream" in value && value.stream === stream) return { kind: "stored", streamSequence };
	return refused("nats_refused_batch", "Something that is not the stream answered", "is another service listening on the subjects of the agent");
}

function readError(error: unknown, stream: string): Reply {
	const fields: object = typeof error === "object" && error !== null ? error : {};
	const code = "err_code" in fields && typeof fields.err_code === "number" ? fields.err_code : 0;
	const text = "description" in fields && typeof fields.description === "string" ? fields.description : "no reason given";
	switch (code) {
		case storeCode.wrongLastSequence:
		case storeCode.wrongLastSequenceUnknown:
			return { kind: "moved" };
		case storeCode.tooLarge:
			return { kind: "too_large", error: new OperatingError("batch_too_large", `The stream ${stream} refuses the size of a batch`) };
		case storeCode.full:
			return refused(
				"nats_stream_full",
				`The stream ${stream} is full and refuses new messages`,
				"raise its limits, let it discard old messages, or purge it",
			);
		case storeCode.resources:
			return refused("nats_stream_full", `The server of the stream ${stream} is out of storage`, "free disk or memory on the server");
		case storeCode.otherStream:
			return refused("nats_subject_taken", `The subjects belong to another stream than ${stream}`, "check nats.jetstream.stream and nats.subject");
		default:
			return refused("nats_refused_batch", `The stream ${stream} refused a batch: ${text} (${code})`, undefined);
	}
}

function refused(code: string, message: string, hint: string | undefined): Reply {
	return { kind: "refused", error: new OperatingError(code, message, hint === undefined ? {} : { hint }) };
}
