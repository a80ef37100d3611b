import {
	DiscardPolicy,
	JetStreamApiError,
	JetStreamError,
	type JetStreamManager,
	RetentionPolicy,
	StorageType,
	type StreamConfig,
} from "@nats-io/jetstream";
import { PermissionViolationError } from "@nats-io/transport-node";
import { OperatingError } from "../../base/errors.ts";
import { operatingError } from "./failure.ts";
import type { NatsSinkOptions } from "./options.ts";
import { laneSubject, streamSubject, subjectCovers } from "./subject.ts";

/** What the sink needs to know of the stream it writes to. */
export interface StreamFacts {
	/** Most bytes of headers and body together; Infinity for no limit. */
	readonly messageBytesMax: number;
	/** What differs from the configuration, each as a short text; the stream is used as it is. */
	readonly differences: readonly string[];
	/** True where this call made the stream. */
	readonly created: boolean;
}

/** Error codes of the JetStream API that have an answer of their own. */
const apiCode = {
	streamNotFound: 10059,
	nameInUse: 10058,
	subjectsOverlap: 10065,
	notEnabledForAccount: 10039,
	notEnabled: 10076,
	storage: 10047,
	memory: 10028,
} as const;

const nanosPerMillisecond = 1_000_000;

/**
 * Makes sure that there is a stream for the lanes: creates it where it is absent and managed, never changes one that exists.
 * Rejects with OperatingError: "nats_stream_refused" where its kind would lose events, "nats_stream_absent", "nats_subject_taken", "nats_jetstream", "nats_permission".
 */
export async function ensureStream(manager: JetStreamManager, options: NatsSinkOptions): Promise<StreamFacts> {
	const name = options.jetstream.stream;
	let found = await readConfig(manager, name);
	let created = false;
	if (found === undefined) {
		found = await createStream(manager, options);
		created = found !== undefined;
		// Another agent was faster, with a configuration of its own: that one counts.
		found ??= await readConfig(manager, name);
		if (found === undefined) throw new OperatingError("nats_stream_absent", `The stream ${name} vanished while it was made`);
	}
	refuse(found, options);
	return {
		messageBytesMax: found.max_msg_size > 0 ? found.max_msg_size : Number.POSITIVE_INFINITY,
		differences: created ? [] : compareStream(found, wantedStream(options)),
		created,
	};
}

/** Says of any error of the JetStream API what a person does about it. */
export function explainApiFailure(error: unknown, step: string): OperatingError {
	if (error instanceof OperatingError) return error;
	const cause = error instanceof Error && error.cause instanceof PermissionViolationError ? error.cause : error;
	if (cause instanceof PermissionViolationError) {
		return new OperatingError(
			"nats_permission",
			`${step}: the server does not allow this user to ${cause.operation === "publish" ? "publish" : "subscribe"} to ${cause.subject}`,
			{
				hint: "grant it in the user's permissions",
			},
		);
	}
	if (error instanceof JetStreamApiError) {
		const code = error.code;
		if (code === apiCode.notEnabledForAccount || code === apiCode.notEnabled) return jetstreamAbsent(step);
		return new OperatingError("nats_api", `${step}: ${error.message} (${code})`, { code });
	}
	if (error instanceof Error && !(error instanceof JetStreamError) && /jetstream (is )?not enabled/i.test(error.message))
		return jetstreamAbsent(step);
	return operatingError(error);
}

/** The stream as the configuration wants it. */
export function wantedStream(options: NatsSinkOptions): Pick<StreamConfig, ComparedKey> & { readonly name: string } {
	const { jetstream } = options;
	const window = jetstream.maxAgeMs > 0 ? Math.min(jetstream.duplicateWindowMs, jetstream.maxAgeMs) : jetstream.duplicateWindowMs;
	return {
		name: jetstream.stream,
		subjects: [streamSubject(options.subject)],
		storage: StorageType.File,
		retention: RetentionPolicy.Limits,
		discard: DiscardPolicy.Old,
		num_replicas: jetstream.replicas,
		max_age: jetstream.maxAgeMs * nanosPerMillisecond,
		max_bytes: jetstream.maxBytes > 0 ? jetstream.maxBytes : -1,
		duplicate_window: window * nanosPerMillisecond,
	};
}

type ComparedKey = "subjects" | "storage" | "retention" | "discard" | "num_replicas" | "max_age" | "max_bytes" | "duplicate_window";

/** Names what differs between a stream and the wanted one: "max_bytes is 1024, wanted 2048". */
export function compareStream(found: Pick<StreamConfig, ComparedKey>, wanted: Pick<StreamConfig, ComparedKey>): string[] {
	const differences: string[] = [];
	const differ = (name: string, is: string, want: string) => {
		if (is !== want) differences.push(`${name} is ${is}, wanted ${want}`);
	};
	const seconds = (nanos: number) => (nanos <= 0 ? "unlimited" : `${nanos / 1e9}s`);
	const limit = (value: number) => (value <= 0 ? "unlimited" : String(value));
	differ("storage", found.storage, wanted.storage);
	differ("discard", found.discard, wanted.discard);
	differ("replicas", String(found.num_replicas), String(wanted.num_replicas));
	differ("max_age", seconds(found.max_age), seconds(wanted.max_age));
	differ("max_bytes", limit(found.max_bytes), limit(wanted.max_bytes));
	differ("duplicate_window", seconds(found.duplicate_window), seconds(wanted.duplicate_window));
	for (const subject of wanted.subjects) {
		if (!found.subjects.some((filter) => subjectCovers(filter, subject)))
			differences.push(`subjects are ${found.subjects.join(" ")}, wanted ${subject}`);
	}
	return differences;
}

async function readConfig(manager: JetStreamManager, name: string): Promise<StreamConfig | undefined> {
	try {
		return (await manager.streams.info(name)).config;
	} catch (error) {
		if (error instanceof JetStreamApiError && error.code === apiCode.streamNotFound) return undefined;
		throw explainApiFailure(error, `Look for the stream ${name}`);
	}
}

/** Undefined where somebody else made a stream of this name in the meantime. */
async function createStream(manager: JetStreamManager, options: NatsSinkOptions): Promise<StreamConfig | undefined> {
	const wanted = wantedStream(options);
	if (!options.jetstream.manage) {
		throw new OperatingError("nats_stream_absent", `There is no stream ${wanted.name}`, {
			hint: `create it with the subjects ${wanted.subjects.join(" ")} and limits retention, or set nats.jetstream.manage`,
		});
	}
	try {
		return (await manager.streams.add(wanted)).config;
	} catch (error) {
		const code = error instanceof JetStreamApiError ? error.code : 0;
		if (code === apiCode.nameInUse) return undefined;
		if (code === apiCode.subjectsOverlap) {
			throw new OperatingError("nats_subject_taken", `The subjects ${wanted.subjects.join(" ")} belong to another stream`, {
				hint: "name that stream in nats.jetstream.stream, or choose another nats.subject",
			});
		}
		if (code === apiCode.storage || code === apiCode.memory) {
			throw new OperatingError("nats_stream_absent", `The server has no room for a stream of ${wanted.max_bytes} bytes`, {
				hint: "lower nats.jetstream.max_bytes",
			});
		}
		throw explainApiFailure(error, `Create the stream ${wanted.name}`);
	}
}

/** Refuses streams that would remove or swallow what was acknowledged, or that never acknowledge. */
function refuse(found: StreamConfig, options: NatsSinkOptions): void {
	const no = (reason: string, hint: string) => new OperatingError("nats_stream_refused", `The stream ${found.name} ${reason}`, { hint });
	if (found.retention !== RetentionPolicy.Limits) {
		throw no(`has ${found.retention} retention, which removes what a lane has to find again`, "use a stream with limits retention");
	}
	if (found.no_ack) throw no("does not acknowledge (no_ack)", "use a stream that acknowledges");
	if (found.sealed) throw no("is sealed", "use another stream");
	const { cluster, node } = options;
	const own = laneSubject(options.subject, { cluster, node, collector: "any" });
	if (!(found.subjects ?? []).some((filter) => subjectCovers(filter, own))) {
		throw no(`does not take ${own} (it takes ${(found.subjects ?? []).join(" ")})`, "add the subject to the stream, or change nats.subject");
	}
}

function jetstreamAbsent(step: string): OperatingError {
	return new OperatingError("nats_jetstream", `${step}: the server has no JetStream for this account`, {
		hint: "switch JetStream on at the server, or set nats.jetstream.enabled to false and lose the guarantees",
	});
}
