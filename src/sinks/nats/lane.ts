import { AssertionError, assert } from "../../base/assert.ts";
import { backoffMs } from "../../base/backoff.ts";
import { OperatingError } from "../../base/errors.ts";
import { type Bytes, bytes } from "../../base/units.ts";
import type { Batch, LaneIdentity, LanePosition, LaneStart, SinkLane } from "../sink.ts";
import type { Epoch } from "./epoch.ts";
import { operatingError, stopsLane } from "./failure.ts";
import { createHeaderWriter, type HeaderWriter } from "./headers.ts";
import { batchTooLarge, twoWriters } from "./lane-errors.ts";
import type { LaneHouse } from "./lane-house.ts";
import { type Reply, readReply } from "./reply.ts";
import { isEarlierCut, isOtherCut, isSameBatch, overlaps, type StoredBatch } from "./stored.ts";
import { laneSubject } from "./subject.ts";

/** Guard refusals in a row before the connection is taken for the cause. */
const movedMax = 3;

/**
 * The lane protocol over JetStream, one batch at a time:
 *
 *   ASK    on every new connection: the last message on the subject, from the leader. It says which batch is the last, and its sequence is the guard.
 *   SEND   under the id `lane-number` and the guard. Both are needed: the id covers the short race that the guard leaves open on a replicated stream,
 *          the guard the long delay that outlives the duplicate window.
 *   CLOSE  whenever it is unknown whether a batch was stored: the connection is reset, so that nothing late arrives, and the stream is asked.
 *
 * The thread of the sink; one call at a time.
 */
export class NatsLane implements SinkLane {
	/** Why a person is needed, for the health of the sink. */
	problem: OperatingError | undefined;
	readonly #house: LaneHouse;
	readonly #identity: LaneIdentity;
	readonly #subject: string;
	readonly #stream: string;
	readonly #headers: HeaderWriter;
	#known: LanePosition = { batch: 0, cursor: "", sequence: 0 };
	/** Events that this lane ever delivered, as its last message says. */
	#published = 0;
	#guard = 0;
	/** The epoch whose answer `#guard` is. Any other one has to be asked first. */
	#asked: Epoch | undefined;
	#opened = false;
	#moved = 0;
	/** Times in a row that the server answered and did not store the batch. */
	#refused = 0;
	/** Sequence in the stream of the foreign batch behind which this lane began. */
	#adoptedAt: number | undefined;
	/** A batch that was given back as too large: late bytes may still store it. */
	#givenBack: Batch | undefined;
	/** Nothing is delivered since the lane opened: a batch of the run before may still arrive, and its manifest be lost. */
	#isNew = true;

	/** Throws OperatingError "nats_subject". */
	constructor(identity: LaneIdentity, house: LaneHouse) {
		this.#identity = identity;
		this.#house = house;
		this.#subject = laneSubject(house.options.subject, identity);
		const { enabled, stream } = house.options.jetstream;
		this.#stream = stream;
		this.#headers = createHeaderWriter(identity, enabled ? stream : undefined);
	}

	get published(): number | undefined {
		return this.#opened ? this.#published : undefined;
	}

	/** Collector and subject, for messages. */
	get name(): string {
		return `${this.#identity.collector} (${this.#subject})`;
	}

	async open(local: LaneStart, signal: AbortSignal): Promise<LanePosition> {
		const { batch, cursor, sequence } = local;
		this.#published = sequence;
		this.#known = { batch, cursor, sequence };
		while (true) {
			const epoch = await this.#house.link.current(signal);
			try {
				const position = this.#house.options.jetstream.enabled ? this.#enter(await this.#ask(epoch, signal), local) : this.#known;
				this.#asked = epoch;
				this.#opened = true;
				this.#refused = 0;
				this.problem = undefined;
				this.#house.link.succeeded();
				return position;
			} catch (error) {
				this.#close(epoch, error, signal);
			}
			await this.#pause(signal);
		}
	}

	batchBytesMax(): Bytes {
		const { link, options } = this.#house;
		return bytes(Math.max(0, Math.min(options.batchBytes, link.messageBytesMax() - this.#headers.bytesMax)));
	}

	async send(batch: Batch, signal: AbortSignal): Promise<LanePosition> {
		assert(this.#opened, "A lane is opened before it sends");
		assert(batch.number > this.#known.batch, "Numbers of batches grow");
		assert(batch.length > 0 && batch.count > 0, "A batch holds events");
		const raw = batch.memory.bytes.subarray(batch.offset, batch.offset + batch.length);
		const packed = this.#house.options.compression === "zstd" ? Bun.zstdCompressSync(raw, { level: 1 }) : raw;
		// What does not shrink goes as it is, so that the limit holds for it as well.
		const body = packed.length < raw.length ? packed : raw;
		for (let attempt = 0; ; attempt++) {
			const epoch = await this.#house.link.current(signal);
			if (attempt > 0) this.#house.counters.retries++;
			try {
				const position = await this.#attempt(epoch, batch, body, body !== raw, signal);
				if (position === undefined) continue;
				if (position.batch === batch.number && position.sequence === batch.lastSequence) this.#count(batch, body.length);
				return position;
			} catch (error) {
				this.#close(epoch, error, signal);
			}
			await this.#pause(signal);
		}
	}

	/** One SEND, asked before where needed. Undefined: the stream is to be asked again. Rejects where the epoch is to be closed. */
	async #attempt(epoch: Epoch, batch: Batch, body: Uint8Array, compressed: boolean, signal: AbortSignal): Promise<LanePosition | undefined> {
		const { link, slots, options } = this.#house;
		if (!options.jetstream.enabled) return await this.#publish(epoch, batch, body, compressed, signal);
		if (this.#asked !== epoch) {
			const position = this.#locate(await this.#ask(epoch, signal), batch);
			this.#asked = epoch;
			if (position !== undefined) return position;
		}
		const headers = this.#headers.encode(batch, this.#guard, compressed, this.#published + batch.count);
		this.#checkSize(batch, headers.length + body.length);
		let reply: Reply;
		{
			using _slot = await slots.take(signal);
			const message = { headers, body, headroom: compressed ? 0 : batch.offset };
			reply = readReply(await epoch.connection.request(this.#subject, message, link.timing.acknowledgeMs, signal), this.#stream);
		}
		switch (reply.kind) {
			case "stored":
				this.#guard = reply.streamSequence;
				return this.#delivered(batch);
			case "moved":
				this.#asked = undefined;
				if (++this.#moved < movedMax) return undefined;
				throw new OperatingError("nats_refused_batch", `The stream ${this.#stream} refuses a sequence that it gave itself`);
			case "duplicate":
				return await this.#afterDuplicate(epoch, batch, reply.streamSequence, signal);
			case "too_large":
				throw this.#tooLarge(batch, headers.length + body.length, reply.error);
			case "refused":
				throw reply.error;
		}
	}

	/** Core NATS: the PONG behind the batch is all there is. Without one it is sent again, and a listener may see it twice. */
	async #publish(epoch: Epoch, batch: Batch, body: Uint8Array, compressed: boolean, signal: AbortSignal): Promise<LanePosition> {
		const { link, slots } = this.#house;
		const headers = this.#headers.encode(batch, undefined, compressed, this.#published + batch.count);
		this.#checkSize(batch, headers.length + body.length);
		using _slot = await slots.take(signal);
		epoch.connection.publish(this.#subject, { headers, body, headroom: compressed ? 0 : batch.offset });
		await epoch.connection.flush(link.timing.acknowledgeMs, signal);
		return this.#delivered(batch);
	}

	/** The stream knows the id: the batch is there, or was and has been removed since, or is being stored just now. */
	async #afterDuplicate(epoch: Epoch, batch: Batch, streamSequence: number, signal: AbortSignal): Promise<LanePosition> {
		this.#asked = undefined;
		const position = this.#locate(await this.#ask(epoch, signal), batch);
		this.#asked = epoch;
		if (position !== undefined) return position;
		if (streamSequence > 0 && (await epoch.connection.isRemoved(this.#stream, streamSequence, signal))) {
			this.#house.log.warn("A batch was stored and has been removed from the stream since.", {
				lane: this.name,
				batch: batch.number,
				streamSequence,
			});
			return this.#delivered(batch);
		}
		throw new OperatingError("nats_refused_batch", `The stream ${this.#stream} knows batch ${batch.number} and does not hold it yet`);
	}

	/** Where the lane stands when it opens. Throws OperatingError "two_writers". */
	#enter(stored: StoredBatch | undefined, local: LaneStart): LanePosition {
		this.#guard = stored?.streamSequence ?? 0;
		const known = this.#known;
		if (stored === undefined) return known;
		if (stored.lane !== this.#identity.id) {
			// A stream sequence is at least 1: nothing was adopted where nothing may be.
			const may = known.batch === 0 && (local.fresh === true || local.adopted === stored.lane);
			if (!may) throw twoWriters(this.#subject, this.#identity.id, stored);
			this.#adoptedAt = stored.streamSequence;
			const { lane, number: batch, cursor, sequence, run } = stored;
			this.#house.log.warn("Another lane wrote here before; the state folder is new, so this one goes on behind it.", {
				lane: this.name,
				other: lane,
				batch,
			});
			return { ...known, finding: { kind: "adopted", lane, batch, cursor, sequence, run } };
		}
		if (stored.number < known.batch) return this.#wentBack(stored);
		this.#known = this.#positionOf(stored);
		return this.#known;
	}

	/** Where the lane stands while `batch` is pending. Undefined: it is not stored, send it. Throws OperatingError "two_writers". */
	#locate(stored: StoredBatch | undefined, batch: Batch): LanePosition | undefined {
		this.#guard = stored?.streamSequence ?? 0;
		if (stored === undefined) return undefined;
		if (stored.lane !== this.#identity.id) {
			if (stored.streamSequence === this.#adoptedAt) return undefined;
			throw twoWriters(this.#subject, this.#identity.id, stored);
		}
		if (stored.number < this.#known.batch) return this.#wentBack(stored);
		if (stored.number === this.#known.batch) return undefined;
		if (isSameBatch(stored, batch)) {
			this.#delivered(batch);
			if (stored.published > 0) this.#published = stored.published;
			return this.#known;
		}
		if (this.#givenBack !== undefined && isSameBatch(stored, this.#givenBack)) return this.#delivered(this.#givenBack);
		if (this.#isNew && (isOtherCut(stored, batch) || isEarlierCut(stored, batch))) return this.#arrivedLate(stored);
		// A number was skipped, and its batch arrives late. What a live lane sent before is not in this batch; behind a stream that went back it is, read again.
		if (stored.number < batch.number) {
			if (overlaps(stored, batch)) return this.#wentBack(stored, batch.number - 1);
			this.#published = Math.max(this.#published, stored.published);
			return undefined;
		}
		throw twoWriters(this.#subject, this.#identity.id, stored);
	}

	#ask(epoch: Epoch, signal: AbortSignal): Promise<StoredBatch | undefined> {
		return epoch.connection.lastBatch(this.#stream, this.#subject, signal);
	}

	/** A lane that is refused while others are served waits by itself, so that it does not end their connection again and again. */
	async #pause(signal: AbortSignal): Promise<void> {
		if (this.#refused < 2) return;
		const { clock, link, random } = this.#house;
		await clock.sleep(backoffMs(this.#refused - 1, link.timing.backoffMinMs, link.timing.backoffMaxMs, random), signal);
	}

	/** CLOSE. Throws what a person must decide, and the signal's reason; everything else is tried again over the next epoch. */
	#close(epoch: Epoch, error: unknown, signal: AbortSignal): void {
		this.#asked = undefined;
		this.#moved = 0;
		if (signal.aborted) {
			// The caller may use the memory again: what the socket still holds of it must not go out.
			if (epoch.connection.pendingBytes > 0) this.#house.link.failed(epoch, operatingError(signal.reason));
			throw signal.reason;
		}
		if (error instanceof AssertionError) throw error;
		const reason = operatingError(error);
		if (reason.code === "nats_stopped") throw reason;
		this.#house.counters.errors++;
		// Its driver cuts the batch anew and goes on.
		if (reason.code === "batch_too_large") throw reason;
		if (stopsLane(reason)) {
			this.problem = reason;
			this.#house.log.error("A lane stands still.", { lane: this.name, reason: reason.message, code: reason.code });
			throw reason;
		}
		if (reason.code !== "nats_timeout" && epoch.connection.alive) {
			this.#refused++;
			this.problem = reason;
		}
		this.#house.link.failed(epoch, reason);
	}

	#delivered(batch: Batch): LanePosition {
		this.#published += batch.count;
		this.#known = { batch: batch.number, cursor: batch.lastCursor, sequence: batch.lastSequence, run: batch.run };
		this.#givenBack = undefined;
		this.#isNew = false;
		this.#moved = 0;
		this.#refused = 0;
		this.problem = undefined;
		this.#house.link.succeeded();
		return this.#known;
	}

	/**
	 * A batch of the run before arrived behind the ASK of `open`, and its manifest went with the power, or was refused by the disk. A moment later `open`
	 * would have found it: the lane goes on behind it. Only before anything is delivered: a copy of the state folder is found out at its second batch.
	 */
	#arrivedLate(stored: StoredBatch): LanePosition {
		const { number: batch } = stored;
		this.#known = this.#positionOf(stored);
		this.#isNew = false;
		this.#house.log.warn("A batch of the run before arrived late, and its manifest is lost; the lane goes on behind it.", { lane: this.name, batch });
		this.#house.link.succeeded();
		return this.#known;
	}

	/** Where a batch of this lane leaves it. One of an agent that did not count has its sequence, which is as many but for what was given up. */
	#positionOf({ number: batch, cursor, sequence, run, published }: StoredBatch): LanePosition {
		this.#published = published > 0 ? published : sequence;
		return { batch, cursor, sequence, run };
	}

	#wentBack(stored: StoredBatch, acknowledged = this.#known.batch): LanePosition {
		this.#known = this.#positionOf(stored);
		this.#house.log.error("The stream holds less than it acknowledged.", { lane: this.name, acknowledged, holds: stored.number });
		return { ...this.#known, finding: { kind: "went_back", acknowledged } };
	}

	#checkSize(batch: Batch, size: number): void {
		const limit = this.#house.link.messageBytesMax();
		if (size > limit) throw this.#tooLarge(batch, size, undefined);
	}

	#tooLarge(batch: Batch, size: number, cause: OperatingError | undefined): OperatingError {
		this.#givenBack = { ...batch };
		const limit = this.batchBytesMax();
		return batchTooLarge(this.name, batch, { size, limit, cause });
	}

	#count(batch: Batch, sent: number): void {
		const { counters } = this.#house;
		counters.batches++;
		counters.events += batch.count;
		counters.bytes += sent;
	}
}
