import { EventWriter } from "../event/event-writer.ts";
import type { Manifest } from "../lane/record.ts";
import { Memory } from "../platform/ffi/memory.ts";
import type { RingReader } from "../ring/reader.ts";
import { batchHeadroom } from "../sinks/sink.ts";
import type { LaneStanding } from "../telemetry/ledger-history.ts";
import type { BatchDelivery, Delivered } from "./batch-delivery.ts";
import { Cursor } from "./cursor.ts";
import type { Appended, LaneCounts, LaneWriterOptions } from "./lane-options.ts";
import { OpenBatch } from "./open-batch.ts";
import { fitEvent } from "./oversize.ts";

/** Largest event that is looked at before it is cut. Beyond it the event is dropped, counted as `too_large`. */
const oversizeBytesMax = 16 * 1024 * 1024;

/** Milliseconds that a batch of a predecessor may take to fill again. */
const forcedDelayMax = 5000;

/** Milliseconds between two savings of a position that no event carries. What is read again after a crash meanwhile are records without events. */
const positionInterval = 60_000;

/**
 * Cuts the events of one lane into numbered batches and sees each delivered before the next is sent; meanwhile the next one fills. Two buffers,
 * no queue: what does not fit waits in the ring. Data worker's thread.
 */
export class LaneWriter {
	readonly counts: LaneCounts = { batches: 0, appended: 0, published: 0, truncated: 0, tooLarge: 0, rewound: 0, unconfirmed: 0 };
	readonly #options: LaneWriterOptions;
	readonly #delivery: BatchDelivery;
	readonly #event = new EventWriter(Memory.allocate(8));
	/** Cursors behind the last event, and behind the last record. */
	readonly #eventCursor = new Cursor();
	readonly #cursor = new Cursor();
	#open: OpenBatch;
	#spare: OpenBatch | undefined;
	#sending: Promise<void> | undefined;
	#isOpen = false;
	#sequence = 0;
	#forced: Manifest | undefined;
	#stopped = false;
	#isRewinding = false;
	#openedAt = 0;
	/** The cursor is ahead of the last event's. */
	#isAhead = false;
	#savedAt: number;
	#hasCut = false;
	#batchRoom = 0;

	constructor(options: LaneWriterOptions) {
		this.#options = options;
		this.#delivery = options.delivery;
		this.#open = new OpenBatch(options.batch.bytesMax);
		this.#spare = new OpenBatch(options.batch.bytesMax);
		this.#savedAt = options.clock.monotonic();
	}

	/** Asks the sinks where the lane stands. Resolves with the cursor to read on from, undefined where nothing was ever delivered. */
	async open(): Promise<string | undefined> {
		try {
			const { mark, forced, unconfirmed } = await this.#delivery.open();
			this.#sequence = mark.sequence;
			this.#forced = forced;
			this.counts.unconfirmed = unconfirmed;
			this.#isOpen = true;
			return mark.cursor === "" ? undefined : mark.cursor;
		} catch (error) {
			this.#stop(error);
			throw error;
		}
	}

	/** Why the state cannot be written, undefined where it can. */
	get stateFailure(): string | undefined {
		return this.#delivery.stateFailure;
	}

	/** What happened lately that a person should know, undefined for nothing. */
	get notice(): string | undefined {
		return this.#delivery.notice;
	}

	/** True where it takes nothing more, because a person must decide. */
	get isStopped(): boolean {
		return this.#stopped;
	}

	/** True once `open` resolved. */
	get isOpen(): boolean {
		return this.#isOpen && !this.#stopped;
	}

	/** Whose lane it is and how far its sink has come; undefined until it is open. */
	get standing(): LaneStanding | undefined {
		return this.#isOpen ? { lane: this.#options.lane, ...this.#delivery.reach } : undefined;
	}

	/** Events in batches that are not acknowledged. */
	get inFlight(): number {
		return this.counts.appended - this.counts.published;
	}

	/** Cursor behind the last record that was taken, undefined where there is none. */
	get cursor(): string | undefined {
		return (this.#isAhead ? this.#cursor : this.#eventCursor).text;
	}

	/** Copies what it still needs of the records that it took. Call it before they are released. */
	beforeRelease(): void {
		this.#eventCursor.keep();
		this.#cursor.keep();
	}

	/** True once after a batch was handed to the sinks, which send it when the caller has returned to the event loop. */
	takeCut(): boolean {
		const hasCut = this.#hasCut;
		this.#hasCut = false;
		return hasCut;
	}

	/** Decodes the leased record into the open batch. */
	append(record: RingReader): Appended {
		if (!this.isOpen) return "blocked";
		if (this.#isRewinding) return "skipped";
		if (this.#open.count >= this.#countMax() && !this.#cut()) return "blocked";
		for (;;) {
			// What the server takes may change while connected: asked once per batch, for a batch that has become too large is refused and cut anew.
			if (this.#open.count === 0) this.#batchRoom = this.#room();
			const room = this.#batchRoom;
			this.#open.attach(this.#event, room);
			this.#event.sequence = this.#sequence + 1;
			const decoded = this.#options.decoder.decode(record, this.#event);
			if (decoded === "event") {
				this.#taken(record);
				// A full batch goes at once; where the one before is still on its way, the next record finds it waiting.
				if (this.#open.count >= this.#countMax()) this.#cut();
				return "appended";
			}
			if (decoded === "none") {
				this.#runAhead(record);
				return "position";
			}
			if (this.#open.count > 0) {
				if (!this.#cut()) return "blocked";
				continue;
			}
			return this.#oversize(record, room);
		}
	}

	/** Sends the open batch where it is due, and saves a position that runs ahead of the events. Call it at least every `delayMax`. */
	tick(): void {
		if (this.#open.count === 0) {
			if (this.#isAhead && this.#options.clock.monotonic() - this.#savedAt >= positionInterval) this.#savePosition();
			return;
		}
		const { due } = this;
		if (due !== undefined && due <= 0) this.#cut();
	}

	/** Milliseconds until the open batch is due, 0 or less where it is; undefined where none is open, or where the one before it is still on its way. */
	get due(): number | undefined {
		if (this.#open.count === 0 || this.#sending !== undefined) return undefined;
		// A predecessor's batch waits for its last record; if that never comes, the number goes to what there is.
		const wait = this.#forced === undefined || this.#open.count >= this.#forced.count ? this.#options.batch.delayMax : forcedDelayMax;
		return this.#openedAt + wait - this.#options.clock.monotonic();
	}

	/** Sends what is open and resolves when everything is acknowledged, or when the lane stopped. */
	async flush(): Promise<void> {
		this.#forced = undefined;
		while (!this.#stopped && (this.#open.count > 0 || this.#sending !== undefined)) {
			if (this.#sending === undefined) this.#cut();
			await this.#sending;
		}
		if (this.#isAhead && !this.#stopped) this.#savePosition();
	}

	/** A filter that lets nothing through must not hold the position back: vacuum would overtake it. Not while a batch has yet to say what it ends with. */
	#savePosition(): void {
		if (this.#open.count > 0 || this.#sending !== undefined || this.#forced !== undefined) return;
		const { cursor } = this;
		this.#savedAt = this.#options.clock.monotonic();
		this.#isAhead = false;
		if (cursor === undefined) return;
		this.#eventCursor.set(cursor);
		this.#delivery.savePosition(cursor);
	}

	/** What was read before the source was set back is out of the ring: takes records again. */
	resume(): void {
		this.#isRewinding = false;
	}

	#countMax(): number {
		return this.#forced?.count ?? this.#options.batch.eventsMax;
	}

	#room(): number {
		return Math.min(this.#options.batch.bytesMax, this.#delivery.bytesMax());
	}

	#taken(record: RingReader): void {
		if (this.#open.count === 0) this.#openedAt = this.#options.clock.monotonic();
		this.#open.taken(this.#event);
		this.#sequence++;
		this.counts.appended++;
		this.#isAhead = false;
		this.#eventCursor.note(record, this.#options.decoder);
	}

	#runAhead(record: RingReader): void {
		if (this.#options.decoder.cursorLength === 0) return;
		this.#cursor.note(record, this.#options.decoder);
		this.#isAhead = true;
	}

	/** An event that fits no batch is cut: its longest texts first. */
	#oversize(record: RingReader, room: number): Appended {
		for (let size = 2 * room; size <= oversizeBytesMax; size *= 2) {
			const memory = Memory.allocate(size);
			this.#event.attach(memory, 0, size);
			this.#event.sequence = this.#sequence + 1;
			if (this.#options.decoder.decode(record, this.#event) !== "event") continue;
			const text = fitEvent(memory.bytes.subarray(0, this.#event.position), room - 2);
			if (text === undefined) break;
			this.#open.attach(this.#event, room);
			this.#open.put(this.#event, text);
			this.counts.truncated++;
			this.#open.truncated++;
			this.#taken(record);
			return "appended";
		}
		this.counts.tooLarge++;
		this.#open.tooLarge++;
		this.#runAhead(record);
		return "dropped";
	}

	/** Hands the open batch to the sinks; false where the one before is still on its way and both buffers are taken. */
	#cut(): boolean {
		const spare = this.#spare;
		if (this.#sending !== undefined || spare === undefined) return false;
		const full = this.#open;
		this.#open = spare;
		this.#spare = undefined;
		this.#forced = undefined;
		this.#hasCut = true;
		this.counts.batches++;
		this.#sending = this.#deliver(full);
		return true;
	}

	async #deliver(full: OpenBatch): Promise<void> {
		let outcome: Delivered;
		try {
			outcome = await this.#delivery.send({
				memory: full.memory,
				offset: batchHeadroom,
				length: full.close(),
				count: full.count,
				firstSequence: this.#sequence - full.count + 1,
				lastSequence: this.#sequence,
				lastCursor: this.#eventCursor.text ?? "",
				run: this.#options.run,
			});
		} catch (error) {
			this.#stop(error);
			return;
		} finally {
			this.#sending = undefined;
		}
		if (outcome.kind === "rewind") this.#rewind(full, outcome);
		else {
			this.counts.published += outcome.published;
			this.counts.appended -= outcome.tooLarge;
			this.counts.tooLarge += outcome.tooLarge;
			this.counts.truncated += outcome.truncated;
		}
		full.reset();
		this.#spare = full;
		this.#options.onRoom();
	}

	/** Forgets what is not delivered, as if it had never been read, and has its source read again. */
	#rewind(full: OpenBatch, { mark, reason }: Extract<Delivered, { kind: "rewind" }>): void {
		for (const batch of [full, this.#open]) {
			this.counts.appended -= batch.count;
			this.counts.truncated -= batch.truncated;
			this.counts.tooLarge -= batch.tooLarge;
			this.counts.rewound += batch.count + batch.tooLarge;
		}
		this.#open.reset();
		this.#forced = undefined;
		this.#sequence = mark.sequence;
		this.#eventCursor.set(mark.cursor);
		this.#isAhead = false;
		this.#isRewinding = true;
		this.#options.onRewind(reason);
	}

	#stop(error: unknown): void {
		if (this.#stopped) return;
		this.#stopped = true;
		if (!this.#options.signal.aborted) this.#options.onStopped(error);
	}
}
