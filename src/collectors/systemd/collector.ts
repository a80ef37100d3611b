import { assert } from "../../base/assert.ts";
import { OperatingError } from "../../base/errors.ts";
import { isSkippable, Journal } from "../../platform/ffi/libsystemd.ts";
import { readTextFile } from "../../platform/files.ts";
import { counterOwn, type RecordWriter } from "../../ring/writer.ts";
import type { Health } from "../../telemetry/health.ts";
import { type Log, silentLog } from "../../telemetry/log.ts";
import { type Collector, type CollectorContext, type CollectorStatistics, sourceCapabilities } from "../collector.ts";
import { positionRecord } from "../ready-record.ts";
import { journalObstacle, parseOwnUnit, partialObstacle } from "./access.ts";
import { Checkpoints } from "./checkpoints.ts";
import { type JournalStart, parseStart, type SystemdConfig } from "./config.ts";
import { EntryTime, parseCursor } from "./cursor-point.ts";
import { EntryEncoder } from "./encoder.ts";
import { GapEncoder } from "./gap-record.ts";
import { JournalWatch } from "./journal-watch.ts";
import { SequenceTracker } from "./sequence-tracker.ts";
import { parsePosition, seekStart } from "./start-position.ts";
import { WaitingRecords } from "./waiting-records.ts";

/** Entries moved by one poll at most, so that the host stays responsive: about two milliseconds. */
const entriesPerPoll = 512;
/** Largest record. An entry beyond it is cut and says so. */
const recordBytesMax = 1 << 20;
/** Rest while the ring is full: it holds some batches, each of which takes its time, and waking for every one of them costs more than it brings. */
const fullInterval = 8;
/** Unreadable entries in a row after which the journal is opened anew behind them. */
const unreadableRunMax = 64;

/** Counters of the ring, in the order of the definition. */
const counter = {
	ownUnit: counterOwn,
	repeated: counterOwn + 1,
	unreadable: counterOwn + 2,
	vacuumed: counterOwn + 3,
	gaps: counterOwn + 4,
} as const;

const foreignPosition =
	"the saved position is that of another journal, and what this one held is older and was passed over: where the state folder came from another machine, stop the agent and remove lanes/systemd.lane in it";

/**
 * Follows the journal: every entry, formatted, into the ring, in order. Runs in a child process, because a truncated journal file kills its reader.
 * It stops reading while the ring is full and loses nothing by it.
 */
export class JournalCollector implements Collector {
	readonly name = "systemd";
	readonly #config: SystemdConfig;
	#journal: Journal | undefined;
	#encoder: EntryEncoder | undefined;
	#gaps: GapEncoder | undefined;
	#writer: RecordWriter | undefined;
	#log: Log = silentLog;
	#tracker = new SequenceTracker();
	#checkpoints: Checkpoints | undefined;
	#watch: JournalWatch | undefined;
	readonly #ownUnit: Uint8Array | undefined;
	#waiting = new WaitingRecords();
	#onEntry = false;
	/** Saved position that is gone from the journal, until the first entry tells what that costs. */
	#positionLost: string | undefined;
	/** The journal was opened behind a position that is not its own, and behind all that it held. */
	#isForeign = false;
	/** Where reading began, as the cursor of the entry before; "" where it began with the first one. */
	#begunBehind = "";
	#hasRead = false;
	/** When the entry encoded last was written; since the journal was opened. */
	readonly #encoded = new EntryTime();
	#unreadableRun = 0;
	#statistics = { entries: 0, ownUnit: 0, repeated: 0, unreadable: 0, vacuumed: 0, gaps: 0 };
	#failure: string | undefined;

	/** `ownUnit` overrides what /proc/self/cgroup says, for tests. */
	constructor(config: SystemdConfig, ownUnit?: string) {
		this.#config = config;
		const own = ownUnit ?? parseOwnUnit(readTextFile("/proc/self/cgroup") ?? "");
		this.#ownUnit = config.exclude_own && own !== undefined ? new TextEncoder().encode(own) : undefined;
	}

	get pollInterval(): number {
		return this.#waiting.isEmpty ? this.#config.poll_interval : fullInterval;
	}

	readonly descriptor = -1;

	capabilities(): number {
		return this.#journal === undefined ? 0 : sourceCapabilities.systemWide | sourceCapabilities.realtime;
	}

	start(context: CollectorContext): void {
		if (this.#journal !== undefined) {
			throw new OperatingError("already_started", "Start the systemd collector: collector already started", { hint: "stop it first" });
		}
		const start = parseStart(this.#config.start);
		assert(start !== undefined, "The schema checked where to start");
		this.#encoder = new EntryEncoder(context.identity, Math.min(recordBytesMax, context.writer.lengthMax));
		this.#gaps = new GapEncoder(context.identity);
		this.#writer = context.writer;
		this.#log = context.log;
		this.#tracker = new SequenceTracker();
		this.#waiting = new WaitingRecords();
		this.#unreadableRun = 0;
		this.#failure = undefined;
		this.#positionLost = undefined;
		this.#begunBehind = context.position ?? "";
		this.#hasRead = false;
		this.#open(start);
		this.#checkpoints = new Checkpoints(this.#config, this.#filtered);
	}

	/** Opens the journal behind the last entry read, or where nothing was read at `start`. */
	#open(start: JournalStart): void {
		const { encoder } = this.#running();
		const { path, units } = this.#config;
		const watch = new JournalWatch(this.#config);
		const journal = new Journal(path);
		encoder.attach(journal);
		try {
			const bootId = (readTextFile("/proc/sys/kernel/random/boot_id") ?? "").trim().replaceAll("-", "");
			const readCursor = () => (encoder.readCursor() > 0 ? encoder.point.text : "");
			const position = parsePosition(this.#lastRead());
			const started = seekStart(journal, readCursor, { position, start, bootId, units });
			const behind = parsePosition(started.behind ?? "");
			const point = behind === undefined ? undefined : parseCursor(behind.cursor);
			if (behind !== undefined && point !== undefined) {
				this.#tracker.step(behind.isBefore ? { ...point, number: point.number - 1, check: 0 } : point, false);
			}
			this.#begunBehind = started.behind ?? "";
			this.#hasRead = false;
			this.#encoded.clear();
			if (started.positionLost) this.#positionLost = position?.cursor;
			this.#isForeign = started.isForeign;
			if (started.isForeign) this.#log.error("The saved position is that of another journal.", { position: position?.cursor ?? "" });
			this.#onEntry = started.onFirst;
		} catch (error) {
			journal[Symbol.dispose]();
			throw error;
		}
		this.#journal = journal;
		this.#watch = watch;
		if (watch.obstacle !== undefined) this.#log.warn("Not all of the journal can be read.", { reason: watch.obstacle });
	}

	poll(): number {
		const journal = this.#journal;
		if (journal === undefined) return 0;
		let moved = this.#waiting.submit(this.#running().writer);
		let hasLooked = false;
		while (moved < entriesPerPoll && this.#waiting.isEmpty) {
			const result = this.#onEntry ? 1 : journal.next();
			this.#onEntry = false;
			if (result === 0) {
				if (hasLooked || !this.#atEnd(journal)) break;
				// A file that has just appeared is read at once, not after the next rest.
				hasLooked = true;
				continue;
			}
			if (result < 0) {
				if (!this.#skipUnreadable(result)) break;
				continue;
			}
			this.#unreadableRun = 0;
			moved += this.#take();
		}
		return moved;
	}

	stop(): void {
		using journal = this.#journal;
		this.#journal = undefined;
		// Where nothing is left to read, the next start need not go through what the filter passed over.
		if (journal !== undefined && this.#failure === undefined && this.#waiting.isEmpty && !this.#onEntry) {
			const last = this.#checkpoints?.next(() => this.#lastRead());
			if (last !== undefined) this.#offer(journal, last);
		}
		this.#checkpoints = undefined;
		this.#watch = undefined;
	}

	health(): Health {
		if (this.#journal === undefined) return { status: "unknown", message: "not started" };
		if (this.#failure !== undefined) return { status: "unhealthy", message: this.#failure };
		const obstacle = journalObstacle(this.#config.path);
		if (obstacle !== undefined) return { status: this.#statistics.entries > 0 ? "degraded" : "unhealthy", message: obstacle };
		const { unreadable, vacuumed } = this.#statistics;
		if (vacuumed > 0) return { status: "degraded", message: `${vacuumed} entries were vacuumed away before they were read; see the gap events` };
		const partial = partialObstacle(this.#config.path);
		if (partial !== undefined) return { status: "degraded", message: partial };
		if (unreadable > 0) return { status: "degraded", message: `${unreadable} entries could not be read; journalctl --verify names the damaged file` };
		if (this.#isForeign) return { status: "degraded", message: foreignPosition };
		return { status: "healthy", message: "follows the journal" };
	}

	statistics(): CollectorStatistics {
		return { ...this.#statistics };
	}

	get #filtered(): boolean {
		return this.#config.units.length > 0;
	}

	/** Turns the current entry into records, none, the entry, or a gap and the entry, and returns how many the ring took. */
	#take(): number {
		const encoder = this.#encoder;
		const writer = this.#writer;
		assert(encoder !== undefined && writer !== undefined, "The collector is started");
		if (encoder.readCursor() < 0) return this.#countUnreadable();
		this.#hasRead = true;
		const { point } = encoder;
		const isKnown = this.#tracker.knows(point.id);
		const step = this.#tracker.step(point, !this.#filtered);
		if (step.repeated && this.#encoded.isOf(point)) {
			this.#statistics.repeated++;
			writer.count(counter.repeated, 1);
			return 0;
		}
		if (encoder.encode() === "unreadable") return this.#countUnreadable();
		this.#encoded.set(point);
		if (step.lost > 0 || this.#positionLost !== undefined) this.#noteGap(step.lost, isKnown && !this.#filtered);
		if (this.#isOwn(encoder)) {
			this.#statistics.ownUnit++;
			writer.count(counter.ownUnit, 1);
			return this.#waiting.submit(writer);
		}
		const { memory, length } = encoder;
		if (this.#waiting.isEmpty && writer.hasRoom(length)) {
			writer.memory.copy(writer.reserve(length), memory, 0, length);
			writer.submit();
			this.#statistics.entries++;
			return 1;
		}
		const copy = (target: RecordWriter, offset: number) => target.memory.copy(offset, memory, 0, length);
		this.#waiting.push({ length, copy, onSubmitted: () => this.#statistics.entries++ });
		return this.#waiting.submit(writer);
	}

	/** Entries are missing before the current one: `lost` of them where their number `isKnown`. A position that is gone with nothing behind it is no loss. */
	#noteGap(lost: number, isKnown: boolean): void {
		const { encoder, gaps, writer } = this.#running();
		const { point } = encoder;
		const position = this.#positionLost;
		this.#positionLost = undefined;
		if (isKnown && lost === 0) return;
		const gap = gaps.encode(isKnown ? { lost, reason: "vacuumed" } : { lost: undefined, reason: "position_lost" }, point);
		if (isKnown) this.#log.error("Journal entries were removed before they were read.", { lost, before: point.text });
		else this.#log.error("The saved position is gone from the journal; how much went with it cannot be known.", { position: position ?? "" });
		this.#waiting.pushBytes(gap, () => {
			this.#statistics.gaps++;
			this.#statistics.vacuumed += lost;
			writer.count(counter.gaps, 1);
			writer.count(counter.vacuumed, lost);
		});
	}

	#isOwn({ memory, unitOffset, unitLength }: EntryEncoder): boolean {
		const own = this.#ownUnit;
		if (own === undefined || unitLength !== own.length) return false;
		for (let index = 0; index < unitLength; index++) {
			if (memory.bytes[unitOffset + index] !== own[index]) return false;
		}
		return true;
	}

	/**
	 * Nothing more to read: looks for changed files, and now and then lets a position through that no event carries. True where there may be more to
	 * read now.
	 */
	#atEnd(journal: Journal): boolean {
		if (this.#watch?.changed(this.#hasRead) === true) {
			this.#reopen(journal, this.#watch);
			return false;
		}
		const due = this.#checkpoints?.poll(() => this.#lastRead());
		if (due === undefined) return journal.process();
		return this.#offer(journal, due);
	}

	/** Lets a position through, unless something before it is still to be read: then true. */
	#offer(journal: Journal, cursor: string): boolean {
		// What stands before the tail that was looked up may take one more look to be seen.
		journal.process();
		if (journal.next() > 0) {
			this.#onEntry = true;
			return true;
		}
		this.#waiting.pushBytes(positionRecord(cursor));
		this.#waiting.submit(this.#running().writer);
		return false;
	}

	#reopen(journal: Journal, watch: JournalWatch): void {
		this.#log.info("The directories of the journal changed; it is opened again.", { path: this.#config.path });
		journal[Symbol.dispose]();
		this.#journal = undefined;
		const start = parseStart(this.#config.start);
		assert(start !== undefined, "The schema checked where to start");
		// Whatever a journal holds that was not there at all was written after the start.
		this.#open(start === "tail" && watch.wasAbsent ? "head" : start);
	}

	/** Cursor of the last entry read, whether it became a record or not; "" for none. */
	#lastRead(): string {
		return this.#hasRead ? this.#running().encoder.point.text : this.#begunBehind;
	}

	#countUnreadable(): 0 {
		this.#statistics.unreadable++;
		this.#running().writer.count(counter.unreadable, 1);
		return 0;
	}

	/** False where the journal as a whole cannot be read on. */
	#skipUnreadable(result: number): boolean {
		this.#countUnreadable();
		if (isSkippable(result) && ++this.#unreadableRun < unreadableRunMax) return true;
		this.#failure = `the journal cannot be read on (errno ${-result}); journalctl --verify names the damaged file`;
		throw new OperatingError("journal_read", `Read the journal: errno ${-result}`, {
			errno: -result,
			hint: "journalctl --verify names damaged files",
		});
	}

	#running(): { encoder: EntryEncoder; gaps: GapEncoder; writer: RecordWriter } {
		const encoder = this.#encoder;
		const gaps = this.#gaps;
		const writer = this.#writer;
		assert(encoder !== undefined && gaps !== undefined && writer !== undefined, "The collector is started");
		return { encoder, gaps, writer };
	}
}
