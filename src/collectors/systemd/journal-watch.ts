import { journalObstacle, journalView, partialObstacle } from "./access.ts";

/** Milliseconds between two looks at the directories of a quiet journal. */
const lookInterval = 1000;

/** Notices that an open journal must be opened again to be seen whole. Counts polls instead of reading a clock. One thread. */
export class JournalWatch {
	readonly #path: string;
	readonly #pollsBetween: number;
	readonly #view: string;
	/** What stood in the way of reading the journal, whole or in part; undefined for nothing. */
	readonly obstacle: string | undefined;
	readonly #isBlind: boolean;
	/** None of the directories existed. */
	readonly wasAbsent: boolean;
	#polls = 0;

	/** Looks at the directories as they are now: make it before the journal is opened. */
	constructor({ path, poll_interval }: { readonly path: string; readonly poll_interval: number }) {
		this.#path = path;
		this.#pollsBetween = Math.ceil(lookInterval / poll_interval);
		this.#view = journalView(path);
		this.wasAbsent = /^[-,]*$/.test(this.#view);
		const whole = journalObstacle(path);
		this.#isBlind = whole !== undefined;
		this.obstacle = whole ?? partialObstacle(path);
	}

	/** Call it at the end of the journal, once per poll. `hasRead`: entries were read since it was opened, so that nothing stood in the way. */
	changed(hasRead: boolean): boolean {
		if (++this.#polls < this.#pollsBetween) return false;
		this.#polls = 0;
		if (journalView(this.#path) !== this.#view) return true;
		return this.#isBlind && !hasRead && journalObstacle(this.#path) === undefined;
	}
}
