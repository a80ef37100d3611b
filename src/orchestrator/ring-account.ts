import type { CollectorDefinition } from "../collectors/collector.ts";
import type { RingReader } from "../ring/reader.ts";
import { counterOwn, counterReceived, counterRingFull } from "../ring/writer.ts";
import type { LedgerAccount } from "../telemetry/ledger.ts";
import type { LaneWriter } from "./lane-writer.ts";
import type { SpooledAccount } from "./spooled-delivery.ts";

/** What the ring says of a collector, sorted by what it means for the account. */
interface Counted {
	readonly submitted: number;
	readonly ringFull: number;
	readonly dropped: Record<string, number>;
	readonly discarded: Record<string, number>;
	readonly lost: Record<string, number>;
	readonly derived: number;
}

/** Keeps the account of one collector from the counters of its ring, what was drained, and its lane. Data worker's thread. */
export class RingAccount {
	readonly definition: CollectorDefinition;
	readonly #reader: RingReader;
	readonly #index: number;
	/** Records leased for good. */
	drained = 0;
	/** Among them, records that carried a position and no event. */
	positions = 0;
	/** Among them, records that their source gives again because it was set back. */
	skipped = 0;
	/** Records that a producer counted and did not publish before it died. */
	#vanished = 0;

	constructor(definition: CollectorDefinition, reader: RingReader, index: number) {
		this.definition = definition;
		this.#reader = reader;
		this.#index = index;
	}

	/**
	 * After the producer ended and the ring was drained: whatever it counted beyond that is gone. A source that can be read again gives
	 * it once more; of a live one it is lost, and counted.
	 */
	settle(): void {
		const { submitted } = this.#count();
		this.#vanished = Math.max(0, submitted - this.drained);
	}

	/**
	 * The account as it stands; `ended`: nothing more is delivered, and what a live source gave until then is dropped, but for what is in its spool. To the lane a
	 * batch in the spool is delivered: here it is in flight until the sink has it. What an earlier run left there is received by this one.
	 */
	account(lane: LaneWriter, ended = false, spool: SpooledAccount | undefined = undefined): LedgerAccount {
		const counted = this.#count();
		const isLive = this.definition.delivery === "live";
		const own = sum(counted.dropped) + sum(counted.discarded);
		const crashed = isLive && this.#vanished > 0 ? { collector_died: this.#vanished } : {};
		const ringFull = counted.ringFull > 0 ? { ring_full: counted.ringFull } : {};
		const tooLargeCount = lane.counts.tooLarge + (spool?.tooLarge ?? 0);
		const tooLarge = tooLargeCount > 0 ? { too_large: tooLargeCount } : {};
		const waiting = spool?.left.events ?? 0;
		const onDisk = spool === undefined ? 0 : spool.stored.events - spool.acknowledged.events + spool.tooLarge;
		const unconfirmedCount = lane.counts.unconfirmed + (spool?.unconfirmed ?? 0);
		const unconfirmed = unconfirmedCount > 0 ? { previous_run: unconfirmedCount } : {};
		const submitted = counted.submitted - (isLive ? 0 : this.#vanished);
		const inFlight = lane.inFlight + Math.max(0, counted.submitted - this.#vanished - this.drained);
		const isDropped = ended && isLive;
		const notDelivered = isDropped && inFlight > 0 ? { not_delivered: inFlight } : {};
		return {
			received:
				(spool?.found.events ?? 0) + submitted - counted.derived - this.positions - this.skipped - lane.counts.rewound + counted.ringFull + own,
			derived: counted.derived,
			published: lane.counts.published - onDisk,
			dropped: { ...counted.dropped, ...ringFull, ...crashed, ...tooLarge, ...droppedBySpool(spool), ...notDelivered },
			discarded: counted.discarded,
			lost: { ...counted.lost, ...unconfirmed },
			inFlight: (isDropped ? 0 : inFlight) + waiting,
			truncated: lane.counts.truncated + (spool?.truncated ?? 0),
		};
	}

	#count(): Counted {
		const all = this.#reader.counter(this.#index, counterReceived);
		const ringFull = this.#reader.counter(this.#index, counterRingFull);
		const dropped: Record<string, number> = {};
		const discarded: Record<string, number> = {};
		const lost: Record<string, number> = {};
		let derived = 0;
		for (const [offset, { name, kind }] of this.definition.counters.entries()) {
			const amount = this.#reader.counter(this.#index, counterOwn + offset);
			if (kind === "derived") derived += amount;
			else if (amount > 0) (kind === "dropped" ? dropped : kind === "discarded" ? discarded : lost)[name] = amount;
		}
		return { submitted: all - ringFull, ringFull, dropped, discarded, lost, derived };
	}
}

function droppedBySpool(spool: SpooledAccount | undefined): Record<string, number> {
	const dropped: Record<string, number> = {};
	for (const [reason, { events }] of Object.entries(spool?.dropped ?? {})) if (events > 0) dropped[reason] = events;
	return dropped;
}

function sum(amounts: Readonly<Record<string, number>>): number {
	return Object.values(amounts).reduce((total, amount) => total + amount, 0);
}
