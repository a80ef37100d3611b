import * as v from "valibot";
import { choice, duration, type FieldNotes, secret, situationalToggle, size, text, toggle, whole } from "./fields.ts";

/** Placeholders that `nats.subject` may hold. */
export const subjectPlaceholders = ["{cluster}", "{node}", "{collector}"] as const;

/** What is wrong with a subject template, undefined where nothing is. */
export function subjectProblem(subject: string): string | undefined {
	const tokens = subject.split(".");
	if (tokens.some((token) => token === "")) return "must be tokens with dots between, none of them empty";
	const [first = ""] = tokens;
	if (!/^[A-Za-z0-9_-]+$/.test(first)) return "must begin with a fixed token of letters, digits, _ and -, because the stream is named for it";
	const bare = subjectPlaceholders.reduce((rest, placeholder) => rest.replaceAll(placeholder, "x"), subject);
	if (/[{}]/.test(bare)) return `may hold only the placeholders ${subjectPlaceholders.join(", ")}`;
	if (!/^[A-Za-z0-9_.-]+$/.test(bare)) return "may hold only letters, digits, _, - and placeholders between the dots";
	const [node, collector] = [subject.includes("{node}"), subject.includes("{collector}")];
	if (node !== collector) return "must hold both {node} and {collector}, or neither: then both are appended";
	return undefined;
}

/** What is wrong with the address of a server, undefined where nothing is. */
export function serverUrlProblem(url: string): string | undefined {
	if (url.trim() === "") return "must not be empty";
	const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url)?.[1]?.toLowerCase();
	if (scheme !== undefined && scheme !== "nats" && scheme !== "tls") return `must begin with nats:// or tls://, not ${scheme}://`;
	if (/[\s,]/.test(url)) return "must be one address; write several as a list";
	const parsed = URL.parse(scheme === undefined ? `nats://${url}` : url);
	if (parsed === null || parsed.hostname === "") return "must be an address such as nats://localhost:4222";
	return undefined;
}

const serverUrl = v.pipe(
	v.string(),
	v.rawCheck(({ dataset, addIssue }) => {
		const problem = dataset.typed ? serverUrlProblem(dataset.value) : undefined;
		if (problem !== undefined) addIssue({ message: problem });
	}),
);

const tls = v.pipe(
	v.strictObject({
		ca: text("PEM file of the authorities that the server's certificate is checked against; empty: those of the system.", ""),
		cert: text("PEM file of the client certificate, for servers that ask for one (mTLS).", ""),
		key: text("PEM file of the key of the client certificate.", ""),
		handshake_first: toggle("The server expects TLS before its greeting (handshake_first in its configuration).", false),
	}),
	v.description("TLS towards NATS. With a tls:// URL, or when the server asks for it, TLS is used without this section as well."),
);

const jetstream = v.pipe(
	v.strictObject({
		enabled: toggle("Publishes into JetStream with acknowledgements. Off: plain NATS, where nobody confirms that an event arrived.", true),
		stream: v.optional(
			v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,255}$/, "must be 1 to 255 letters, digits, _ and -"), v.description("Name of the stream.")),
			"TAPIO",
		),
		manage: toggle("Creates the stream where it does not exist. An existing stream is never changed; what differs is named in health.", true),
		replicas: whole("Copies of the stream in a cluster, when it is created.", 1, { least: 1, most: 5 }),
		max_age: duration("How long the stream keeps events, when it is created; 0 for ever.", "72h", { least: "0", most: "3650d" }),
		max_bytes: size("How much the stream keeps, when it is created; the oldest goes first; 0 without limit.", "10GiB", {
			least: "0",
			most: "1024TiB",
		}),
		duplicate_window: duration("How long the server recognises a batch sent twice, when the stream is created.", "2m", { least: "1s", most: "24h" }),
		domain: text("JetStream domain, as on leaf nodes; empty: none.", ""),
	}),
	v.description("The stream that events are published into."),
);

/** `orchestrator.nats`. */
export const natsSchema = v.pipe(
	v.strictObject({
		enabled: situationalToggle(
			"Publishes to NATS.",
			"true; without a configuration file: true when NATS_URL or any other key of this section is given",
		),
		url: v.optional(
			v.pipe(
				v.union([serverUrl, v.pipe(v.array(serverUrl), v.minLength(1, "must name at least one server"))], "expects a URL or a list of URLs"),
				v.metadata({ url: true } satisfies FieldNotes),
				v.description("Address of the server, or a list of addresses of one cluster. Variable: NATS_URL."),
			),
			"nats://localhost:4222",
		),
		subject: v.optional(
			v.pipe(
				v.string(),
				v.rawCheck(({ dataset, addIssue }) => {
					const problem = dataset.typed ? subjectProblem(dataset.value) : undefined;
					if (problem !== undefined) addIssue({ message: problem });
				}),
				v.description(
					"Subject of the events. `.{node}.{collector}` is appended where it holds neither; {cluster}, {node} and {collector} may be placed by hand.",
				),
			),
			"tapio.events",
		),
		max_reconnects: whole("Failures in a row before health says degraded. The agent goes on trying, at most 30 s apart, and never gives up.", 5, {
			least: 1,
			most: 1000,
		}),
		auth_enabled: situationalToggle(
			"Uses the credentials below. With false they are ignored, and their variables need not be set.",
			"true when one of the credentials below is given",
		),
		username: text("User name, with `password`. Variable: NATS_USER.", ""),
		password: secret("Password of `username`. Variable: NATS_PASS."),
		token: secret("Token."),
		nkey: secret("NKey: the seed (SU…), or the path of a file that holds it."),
		creds: text("Path of a .creds file, as made by nsc.", ""),
		inbox_prefix: text("Subject prefix of the server's replies, for users that may subscribe only to one of their own; empty: _INBOX.", ""),
		tls: v.optional(tls, {}),
		jetstream: v.optional(jetstream, {}),
	}),
	v.description("Where events are published."),
);

/** How batches are packed. */
export const batchSchema = v.pipe(
	v.strictObject({
		max_events: whole("Events in one message at most.", 1000, { least: 1, most: 100_000 }),
		max_bytes: size("Bytes of one message at most; what the server and the stream allow limits it further.", "512KiB", {
			least: "4KiB",
			most: "64MiB",
		}),
		max_delay: duration("How long an event waits for others at most, before its message leaves.", "50ms", { least: "1ms", most: "10s" }),
		compression: choice(
			"Compression of messages. zstd makes them about nine times smaller, and readers must understand `Content-Encoding: zstd`.",
			["none", "zstd"],
			"none",
		),
	}),
	v.description("How events are packed into messages."),
);

/** The buffer on disk. */
export const spoolSchema = v.pipe(
	v.strictObject({
		max_bytes: size(
			"Bytes on disk at most, for each collector whose events cannot be read again, while NATS is away; beyond it the oldest are dropped and counted.",
			"1GiB",
			{
				least: "1MiB",
				most: "16TiB",
			},
		),
		max_age: duration("How long events wait there at most; older ones are dropped and counted. 0: for ever.", "0", { least: "0", most: "90d" }),
		fsync: duration("How often the spool is forced to disk; what came later can be lost when the machine loses power. 0: after every write.", "1s", {
			least: "0",
			most: "1m",
		}),
	}),
	v.description("The buffer on disk."),
);
