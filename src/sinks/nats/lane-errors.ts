import { OperatingError } from "../../base/errors.ts";
import type { Bytes } from "../../base/units.ts";
import type { Batch } from "../sink.ts";
import type { StoredBatch } from "./stored.ts";

/** Somebody else writes where lane `ownId` does. Says who, as far as the stored batch tells, and what to do. */
export function twoWriters(subject: string, ownId: string, stored: StoredBatch): OperatingError {
	const agent = stored.lane === ownId ? "a copy of this agent's state folder" : "another agent";
	const other = stored.lane === "" ? "something that is no agent" : agent;
	return new OperatingError(
		"two_writers",
		`Two writers on ${subject}: ${other} wrote there (lane ${stored.lane || "none"}, batch ${stored.number})`,
		{
			hint: "give each node its own orchestrator.node and each cluster its own subject, never copy a state folder, and remove that of the copy",
		},
	);
}

/** A batch that was cut for a higher limit. The fact `limit` is what `batchBytesMax` says now. */
export function batchTooLarge(lane: string, batch: Batch, found: { size: number; limit: Bytes; cause: OperatingError | undefined }): OperatingError {
	return new OperatingError(
		"batch_too_large",
		`Batch ${batch.number} of ${lane} has ${found.size} bytes with its headers, and the server takes less`,
		{
			cause: found.cause,
			limit: found.limit,
			hint: "the limit fell while the batch waited: raise max_payload or the stream's max_msg_size again",
		},
	);
}
