import type { Bytes, Milliseconds } from "../../base/units.ts";

/** How the agent shows who it is. Files are read again at each connection, so that renewed credentials need no restart. */
export type NatsAuthentication =
	| { readonly kind: "none" }
	| { readonly kind: "password"; readonly username: string; readonly password: string }
	| { readonly kind: "token"; readonly token: string }
	/** `seed` begins with SU; `seedFile` holds one, alone on a line. Exactly one of them is given. */
	| { readonly kind: "nkey"; readonly seed?: string; readonly seedFile?: string }
	/** A credentials file: JWT and seed between their dashed lines. */
	| { readonly kind: "creds"; readonly file: string };

/** Paths of PEM files, each read again at each connection. Present at all: a server without TLS is refused. */
export interface NatsTls {
	/** Authorities that may sign the server's certificate; without it those of the system. */
	readonly ca?: string;
	/** Certificate of the agent, for servers that ask for one. Goes with `key`. */
	readonly cert?: string;
	readonly key?: string;
	/** The server expects TLS before its greeting (`handshake_first`). */
	readonly handshakeFirst?: boolean;
}

/** The stream behind the subjects. */
export interface NatsStreamOptions {
	/** false: core NATS. The server then keeps nothing, and a batch reaches those who listen at that moment. */
	readonly enabled: boolean;
	readonly stream: string;
	/** Create the stream where there is none. It is never changed once it exists. */
	readonly manage: boolean;
	/** 1 to 5; used when creating, compared when it exists. */
	readonly replicas: number;
	/** 0: no limit. */
	readonly maxAgeMs: Milliseconds;
	/** 0: no limit. */
	readonly maxBytes: Bytes;
	readonly duplicateWindowMs: Milliseconds;
	/** JetStream domain, "" for the server's own. */
	readonly domain: string;
}

/** Everything the NATS sink is told. */
export interface NatsSinkOptions {
	/** `nats://` or `tls://`, host, port, and credentials where there are any; an element may be a list with commas. They are tried in turn. */
	readonly urls: readonly string[];
	/** Who this agent is, for its name on the server and for its inbox. */
	readonly cluster: string;
	readonly node: string;
	/** Prefix of the subjects, or a pattern with `{cluster}`, `{node}` and `{collector}`. */
	readonly subject: string;
	readonly authentication: NatsAuthentication;
	readonly tls?: NatsTls;
	readonly jetstream: NatsStreamOptions;
	/** Consecutive failures before the circuit opens. The agent goes on probing and never gives up. */
	readonly maxReconnects: number;
	/** Batches that wait for their acknowledgement at once, over all lanes: 1 to 64. */
	readonly workers: number;
	readonly compression: "none" | "zstd";
	/** Most bytes of a batch; the server's own limits may be lower. */
	readonly batchBytes: Bytes;
	/** Subject prefix of replies, which the user on the server must be allowed to subscribe to with `.>` behind it. Default: `_INBOX`. */
	readonly inboxPrefix?: string;
	/** Waits, for tests. */
	readonly timing?: Partial<NatsTiming>;
}

/** Waits of the sink in milliseconds. */
export interface NatsTiming {
	/** From the first packet to the end of the login. Beyond it the attempt has failed. */
	readonly connectMs: number;
	/** Between pings; the third without an answer ends the connection. */
	readonly pingMs: number;
	/** Answer to a request about the stream. */
	readonly requestMs: number;
	/** Acknowledgement of a batch. Beyond it the connection is reset and the stream asked. */
	readonly acknowledgeMs: number;
	/** First and last wait between attempts; it doubles in between. */
	readonly backoffMinMs: number;
	readonly backoffMaxMs: number;
}

/** A stalled server is noticed after 3 pings, 15 s. */
export const natsTiming: NatsTiming = {
	connectMs: 5_000,
	pingMs: 5_000,
	requestMs: 5_000,
	acknowledgeMs: 10_000,
	backoffMinMs: 200,
	backoffMaxMs: 30_000,
};
