import { bytes, milliseconds } from "../base/units.ts";
import type { NatsConfig, OrchestratorConfig } from "../config/schema.ts";
import type { NatsAuthentication, NatsSinkOptions, NatsTls } from "../sinks/nats/options.ts";

/** What the configuration says, in the words of the NATS sink. */
export function natsOptions(config: OrchestratorConfig): NatsSinkOptions {
	const { nats, batch } = config;
	const { jetstream } = nats;
	const tls = natsTls(nats);
	return {
		urls: typeof nats.url === "string" ? [nats.url] : nats.url,
		cluster: config.cluster,
		node: config.node,
		subject: nats.subject,
		authentication: natsAuthentication(nats),
		...(tls === undefined ? {} : { tls }),
		jetstream: {
			enabled: jetstream.enabled,
			stream: jetstream.stream,
			manage: jetstream.manage,
			replicas: jetstream.replicas,
			maxAgeMs: milliseconds(jetstream.max_age),
			maxBytes: bytes(jetstream.max_bytes),
			duplicateWindowMs: milliseconds(jetstream.duplicate_window),
			domain: jetstream.domain,
		},
		maxReconnects: nats.max_reconnects,
		workers: config.workers,
		compression: batch.compression,
		batchBytes: bytes(batch.max_bytes),
		...(nats.inbox_prefix === "" ? {} : { inboxPrefix: nats.inbox_prefix }),
	};
}

function natsAuthentication(nats: NatsConfig): NatsAuthentication {
	if (!nats.auth_enabled) return { kind: "none" };
	if (nats.creds !== "") return { kind: "creds", file: nats.creds };
	if (nats.nkey !== "") return isSeed(nats.nkey) ? { kind: "nkey", seed: nats.nkey } : { kind: "nkey", seedFile: nats.nkey };
	if (nats.token !== "") return { kind: "token", token: nats.token };
	return { kind: "password", username: nats.username, password: nats.password };
}

/** A seed of an NKey: 58 characters of base32 that begin with S and the kind of key. A path looks otherwise. */
function isSeed(nkey: string): boolean {
	return /^S[A-Z2-7]{57}$/.test(nkey);
}

function natsTls({ tls }: NatsConfig): NatsTls | undefined {
	const settings: { ca?: string; cert?: string; key?: string; handshakeFirst?: boolean } = {};
	if (tls.ca !== "") settings.ca = tls.ca;
	if (tls.cert !== "") settings.cert = tls.cert;
	if (tls.key !== "") settings.key = tls.key;
	if (tls.handshake_first) settings.handshakeFirst = true;
	return Object.keys(settings).length === 0 ? undefined : settings;
}
