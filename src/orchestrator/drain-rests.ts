/** Milliseconds between two looks at the rings while nothing waits to be sent: at most this much is added to an event's way. */
const quietRest = 20;
/** The same where nothing came for so many turns: each look costs a wake-up, 60 to 100 us, whether it finds something or not. */
const idleRest = 30;
const idleTurns = 250;
/** Longest rest while a batch is open. What comes meanwhile leaves with that batch, so that looking earlier brings no event there earlier. */
const openRestMax = 50;
/** Rest behind a turn that found much: a producer that fills its ring must not wait for a quiet rest. */
const busyRest = 2;
/** Busy rests behind a busy turn: the next one may have caught up with a source that fills the ring within one quiet rest. */
const busyRests = 15;
/** Share of a ring that makes a turn a busy one where so much comes in a quiet rest: thirteen times as much must still fit in the longest. */
const busyShare = 1 / 32;

/** What one look at all rings found. */
export interface DrainLook {
	readonly records: number;
	/** Of the ring where it is the largest: the part that was full when the look began, 0 to 1. */
	readonly share: number;
	/** True where a batch was cut that leaves when the thread returns to its event loop, and the rings may hold more. */
	readonly cut: boolean;
	/** Milliseconds until the first open batch is due; undefined where none is open. */
	readonly due: number | undefined;
}

/** Decides how long the drain may rest until its next look at the rings: the wake-ups are what it costs where little comes, and the ring is what it risks where much does. */
export class DrainRests {
	#rest = quietRest;
	#busy = 0;
	#emptyTurns = 0;

	/** Milliseconds to rest behind this look; 0 for a look as soon as the event loop has had its turn. */
	next({ records, share, cut, due }: DrainLook): number {
		this.#emptyTurns = records > 0 ? 0 : this.#emptyTurns + 1;
		// What stands in the ring behind a cut was judged with what was cut.
		if (this.#rest > 0) this.#busy = share * quietRest >= busyShare * this.#rest ? busyRests : Math.max(0, this.#busy - 1);
		this.#rest = cut ? 0 : this.#length(due);
		return this.#rest;
	}

	#length(due: number | undefined): number {
		if (this.#busy > 0) return busyRest;
		if (due !== undefined) return Math.max(busyRest, Math.min(due, openRestMax));
		return this.#emptyTurns > idleTurns ? idleRest : quietRest;
	}
}
