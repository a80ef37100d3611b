import { assert } from "../../base/assert.ts";
import type { EventWriter, NodeIdentity } from "../../event/event-writer.ts";
import type { RingReader } from "../../ring/reader.ts";
import type { Decoded, Decoder } from "../collector.ts";
import { GapDecoder } from "./decode-gap.ts";
import { EventHead } from "./event-head.ts";
import { gapBytes } from "./gap-record.ts";
import { tapioType } from "./layout.gen.ts";
import { NumberWriter } from "./number-writer.ts";
import { programs } from "./programs.ts";
import type { DecoderOptions, RecordDecoder } from "./record-decoder.ts";
import { TaskWriter } from "./task-fields.ts";

/** What ids are made of, beside the sequence. */
export interface RunIdentity extends NodeIdentity {
	/** The kernel's random id of this boot. */
	readonly bootId: string;
	/** Unique per start of the agent. */
	readonly runId: string;
}

/** Turns records of kernel programs into events. Data worker's thread. */
export class KernelDecoder implements Decoder {
	/** A live source has no cursor. */
	readonly cursorOffset = 0;
	readonly cursorLength = 0;
	readonly #decoders: (RecordDecoder | undefined)[] = [];
	readonly #least: number[] = [];

	constructor(identity: RunIdentity, options: DecoderOptions) {
		const head = new EventHead(identity, identity.bootId, identity.runId);
		const numbers = new NumberWriter();
		const tools = { ...options, numbers, task: new TaskWriter(numbers) };
		for (const program of programs) {
			this.#decoders[program.type] = program.makeDecoder(head, tools);
			this.#least[program.type] = program.bytesMin;
		}
		this.#decoders[tapioType.gap] = new GapDecoder(
			head,
			programs.map(({ type, eventType }) => [type, eventType] as const),
		);
		this.#least[tapioType.gap] = gapBytes;
	}

	decode(record: RingReader, event: EventWriter): Decoded {
		const decoder = this.#decoders[record.kind];
		assert(decoder !== undefined, "The collector only lets known kinds of record through");
		assert(record.length >= (this.#least[record.kind] ?? 0), "A record is at least as long as its structure");
		return decoder.decode(record.memory, record.offset, record.length, event) ? "event" : "full";
	}
}
