import { assert } from "../../base/assert.ts";
import type { RecordWriter } from "../../ring/writer.ts";

/** A record that waits for room in the ring. */
export interface WaitingRecord {
	/** Bytes of the payload. */
	readonly length: number;
	/** Writes the payload to `offset` of the writer's memory. */
	readonly copy: (writer: RecordWriter, offset: number) => void;
	/** Called once it is in the ring: what it stands for is counted then, so that a reader that dies before counts nothing twice. */
	readonly onSubmitted?: () => void;
}

/** Records in order, of which none overtakes another: at most a gap, and the entry behind it. One thread. */
export class WaitingRecords {
	readonly #records: WaitingRecord[] = [];

	/** True where nothing waits. */
	get isEmpty(): boolean {
		return this.#records.length === 0;
	}

	/** Adds a record behind the others. */
	push(record: WaitingRecord): void {
		this.#records.push(record);
	}

	/** Adds a record of these bytes. */
	pushBytes(bytes: Uint8Array, onSubmitted?: () => void): void {
		const copy = (writer: RecordWriter, offset: number) => writer.memory.bytes.set(bytes, offset);
		this.push({ length: bytes.length, copy, ...(onSubmitted === undefined ? {} : { onSubmitted }) });
	}

	/** Moves what finds room into the ring. How many records that were. */
	submit(writer: RecordWriter): number {
		for (let submitted = 0; ; submitted++) {
			const first = this.#records[0];
			if (first === undefined || !writer.hasRoom(first.length)) return submitted;
			const offset = writer.reserve(first.length);
			assert(offset !== -1, "There is room");
			first.copy(writer, offset);
			writer.submit();
			first.onSubmitted?.();
			this.#records.shift();
		}
	}
}
