import type { Msg } from "@nats-io/transport-node";
import type { OperatingError } from "../../base/errors.ts";
import type { NatsTiming } from "./options.ts";
import type { StoredBatch } from "./stored.ts";

/** A message on its way to the server. Everything in it stays unchanged until it is answered. */
export interface OutgoingMessage {
	readonly headers: Uint8Array;
	readonly body: Uint8Array;
	/** Bytes before the body in its memory, and two behind it, that the connection may write: the message then leaves in one piece. 0 for none. */
	readonly headroom: number;
}

/** What a lane does over one connection. Everything rejects with OperatingError when the connection ends first, and with the signal's reason. */
export interface LaneConnection {
	/** False once the connection has ended. */
	readonly alive: boolean;
	/** Bytes of messages that the socket still holds in the caller's memory. */
	readonly pendingBytes: number;
	/** The last message on a subject, by the leader of the stream. Undefined for none. */
	lastBatch(stream: string, subject: string, signal: AbortSignal): Promise<StoredBatch | undefined>;
	/** True where the stream no longer holds what it once stored under this sequence. */
	isRemoved(stream: string, streamSequence: number, signal: AbortSignal): Promise<boolean>;
	/** Sends a message and resolves with the answer; "nats_timeout" after `waitMs`. */
	request(subject: string, message: OutgoingMessage, waitMs: number, signal: AbortSignal): Promise<Pick<Msg, "data" | "headers">>;
	/** Sends a message that nobody acknowledges. */
	publish(subject: string, message: OutgoingMessage): void;
	/** Resolves when the server has read all that was sent before; "nats_timeout" after `waitMs`. */
	flush(waitMs: number, signal: AbortSignal): Promise<void>;
}

/** A connection behind which the stream was found good. What was in flight when it ended is unknown, and the stream is asked over the next one. */
export interface Epoch {
	readonly connection: LaneConnection;
}

/** Where lanes get their epochs from. */
export interface LaneLink {
	readonly timing: Pick<NatsTiming, "acknowledgeMs" | "backoffMinMs" | "backoffMaxMs">;
	/** The epoch of now, or the next one. Rejects with the signal's reason, or "nats_stopped". */
	current(signal: AbortSignal): Promise<Epoch>;
	/**
	 * A lane could not ask or deliver over this epoch: it ends here, and nothing late is sent over it. Harmless where it has ended already. The reason
	 * stays named until something is delivered, because a new connection alone does not mend it.
	 */
	failed(epoch: Epoch, reason: OperatingError): void;
	/** A lane was answered, or a batch delivered: whatever was wrong is mended. */
	succeeded(): void;
	/** Most bytes of a message, headers included; between connections that of the last one, at first what every server takes. */
	messageBytesMax(): number;
}
