import { assert } from "../../base/assert.ts";
import { OperatingError } from "../../base/errors.ts";
import { isSkippable, Journal } from "../../platform/ffi/libsystemd.ts";
import { readTextFile } from "../../platform/files.ts";
import { counterOwn, type RecordWriter } from "../../ring/writer.ts";
import type { Health } from "../../telemetry/health.ts";
import { type Log, silentLog } from "../../telemetry/log.ts";
import { type Collector, type CollectorContext, type CollectorStatistics, sourceCapabilities } from "../collector.ts";
import { journalObstacle, parseOwnUnit } from "./access.ts";
import { Checkpoints } from "./checkpoints.ts";
import { parseStart, type SystemdConfig } from "./config.ts";
import { EntryEncoder } from "./entry-encoder.ts";
import { encodeCheckpoint, encodeGap } from "./gap-record.ts";
import { kindCheckpoint, kindEntry, kindGap, wordUnitLength, wordUnitOffset } from "./record.ts";
import { CursorPoint, parseCursor, SequenceTracker } from "./sequence-tracker.ts";
import { seekStart } from "./start-position.ts";

/** Entries moved by one poll at most, so that the host stays responsive: about two milliseconds. */
const entriesPerPoll = 512;
/** Largest record. An entry beyond it is cut and says so. */
const recordBytesMax = 1 << 20;
/** Rest while the ring is full. */
const fullInterval = 1;
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

/** What waits for room in the ring. */
interface Waiting {
	readonly kind: number;
	readonly length: number;
	readonly copy: (writer: RecordWriter, offset: number) => void;
}

/**
 * Follows the journal: every entry, formatted, into the ring, in order. Runs in a child process, because a truncated journal file kills its reader.
 * It stops reading while the ring is full and loses nothing by it.
 */
export class JournalCollector implements Collector {
	readonly name = "systemd";
	readonly #config: SystemdConfig;
	#journal: Journal | undefined;
	#encoder: EntryEncoder | undefined;
	#writer: RecordWriter | undefined;
	#log: Log = silentLog;
	readonly #point = new CursorPoint();
	#tracker = new SequenceTracker();
	#checkpoints: Checkpoints | undefined;
	#ownUnit: Uint8Array | undefined;
	#waiting: Waiting[] = [];
	#onEntry = false;
	#positionLost: string | undefined;
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
		return this.#waiting.length > 0 ? fullInterval : this.#config.poll_interval;
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
		const encoder = new EntryEncoder(Math.min(recordBytesMax, context.writer.lengthMax));
		const journal = new Journal(this.#config.path);
		const bootId = (readTextFile("/proc/sys/kernel/random/boot_id") ?? "").trim().replaceAll("-", "");
		const readCursor = () => (encoder.readCursor(journal) > 0 ? encoder.cursorText() : "");
		const position = context.position === "" ? undefined : context.position;
		const started = seekStart(journal, readCursor, { position, start, bootId, units: this.#config.units });
		this.#tracker = new SequenceTracker();
		const behind = started.behind === undefined ? undefined : parseCursor(started.behind);
		if (behind !== undefined) this.#tracker.step(behind.id, behind.number, false);
		this.#positionLost = started.positionLost ? position : undefined;
		this.#onEntry = started.onFirst;
		this.#checkpoints = this.#filtered ? new Checkpoints(this.#config.path) : undefined;
		this.#waiting = [];
		this.#unreadableRun = 0;
		this.#failure = undefined;
		this.#journal = journal;
		this.#encoder = encoder;
		this.#writer = context.writer;
		this.#log = context.log;
		if (started.positionLost) this.#log.warn("The saved position is gone from the journal; reading goes on behind it.", { position });
	}

	poll(): number {
		const journal = this.#journal;
		if (journal === undefined) return 0;
		let moved = this.#submitWaiting();
		while (moved < entriesPerPoll && this.#waiting.length === 0) {
			const result = this.#onEntry ? 1 : journal.next();
			this.#onEntry = false;
			if (result === 0) {
				this.#atEnd(journal);
				break;
			}
			if (result < 0) {
				if (!this.#skipUnreadable(result)) break;
				continue;
			}
			this.#unreadableRun = 0;
			moved += this.#take(journal);
		}
		return moved;
	}

	stop(): void {
		this.#journal?.[Symbol.dispose]();
		this.#journal = undefined;
		this.#checkpoints = undefined;
		this.#waiting = [];
	}

	health(): Health {
		if (this.#journal === undefined) return { status: "unknown", message: "not started" };
		if (this.#failure !== undefined) return { status: "unhealthy", message: this.#failure };
		const obstacle = journalObstacle(this.#config.path);
		if (obstacle !== undefined) return { status: this.#statistics.entries > 0 ? "degraded" : "unhealthy", message: obstacle };
		const { unreadable, vacuumed } = this.#statistics;
		if (vacuumed > 0) return { status: "degraded", message: `${vacuumed} entries were vacuumed away before they were read; see the gap events` };
		if (unreadable > 0) return { status: "degraded", message: `${unreadable} entries could not be read; journalctl --verify names the damaged file` };
		return { status: "healthy", message: "follows the journal" };
	}

	statistics(): CollectorStatistics {
		return { ...this.#statistics };
	}

	get #filtered(): boolean {
		return this.#config.units.length > 0;
	}

	/** Turns the current entry into records, none, the entry, or a gap and the entry, and returns how many the ring took. */
	#take(journal: Journal): number {
		const { encoder, writer } = this.#running();
		if (encoder.readCursor(journal) < 0) return this.#countUnreadable();
		this.#point.read(encoder.cursorMemory.bytes);
		const step = this.#tracker.step(this.#point.id, this.#point.number, !this.#filtered);
		if (step.repeated) {
			this.#statistics.repeated++;
			writer.count(counter.repeated, 1);
			return 0;
		}
		if (encoder.encode(journal) === "unreadable") return this.#countUnreadable();
		if (step.lost > 0 || this.#positionLost !== undefined) this.#noteGap(step.lost);
		if (this.#isOwn(encoder)) {
			this.#statistics.ownUnit++;
			writer.count(counter.ownUnit, 1);
			return this.#submitWaiting();
		}
		const { memory, length } = encoder;
		if (this.#waiting.length === 0 && writer.hasRoom(length)) {
			writer.memory.copy(writer.reserve(length), memory, 0, length);
			writer.submit(kindEntry);
			this.#statistics.entries++;
			return 1;
		}
		this.#waiting.push({ kind: kindEntry, length, copy: (target, offset) => target.memory.copy(offset, memory, 0, length) });
		return this.#submitWaiting();
	}

	#noteGap(lost: number): void {
		const { encoder, writer } = this.#running();
		this.#statistics.gaps++;
		this.#statistics.vacuumed += lost;
		writer.count(counter.vacuumed, lost);
		const gap = encodeGap({
			lost: this.#filtered ? undefined : lost,
			reason: this.#filtered ? "position_lost" : "vacuumed",
			cursor: encoder.cursorText(),
			realtime: encoder.realtime(),
		});
		this.#positionLost = undefined;
		this.#log.error("Journal entries were removed before they were read.", { lost, before: encoder.cursorText() });
		this.#waiting.push({ kind: kindGap, length: gap.length, copy: (target, offset) => target.memory.bytes.set(gap, offset) });
	}

	#submitWaiting(): number {
		const { writer } = this.#running();
		let submitted = 0;
		for (;;) {
			const first = this.#waiting[0];
			if (first === undefined || !writer.hasRoom(first.length)) return submitted;
			const offset = writer.reserve(first.length);
			assert(offset !== -1, "There is room");
			first.copy(writer, offset);
			writer.submit(first.kind);
			if (first.kind === kindGap) writer.count(counter.gaps, 1);
			else if (first.kind === kindEntry) this.#statistics.entries++;
			this.#waiting.shift();
			submitted++;
		}
	}

	#isOwn(encoder: EntryEncoder): boolean {
		const own = this.#ownUnit;
		const { words, bytes } = encoder.memory;
		if (own === undefined || words[wordUnitLength] !== own.length) return false;
		const offset = words[wordUnitOffset] ?? 0;
		for (let index = 0; index < own.length; index++) {
			if (bytes[offset + index] !== own[index]) return false;
		}
		return true;
	}

	/** Nothing more to read: looks for changed files, and now and then lets a position through that the filter hides. */
	#atEnd(journal: Journal): void {
		const due = this.#checkpoints?.poll();
		if (due === undefined) {
			journal.process();
			return;
		}
		// Entries before the tail that was read are all seen only after one more look.
		journal.process();
		if (journal.next() > 0) {
			this.#onEntry = true;
			return;
		}
		const record = encodeCheckpoint(due);
		this.#waiting.push({ kind: kindCheckpoint, length: record.length, copy: (target, offset) => target.memory.bytes.set(record, offset) });
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

	#running(): { encoder: EntryEncoder; writer: RecordWriter } {
		assert(this.#encoder !== undefined && this.#writer !== undefined, "The collector is started");
		return { encoder: this.#encoder, writer: this.#writer };
	}
}
