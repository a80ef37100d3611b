/**
 * Reads directories of journal files as the collector does, one after the other, in a process that may die of them: read-journal DIRECTORY...
 * A line of JSON for each: the cursors read, and what the collector counted.
 */
import { describeError } from "../../src/base/errors.ts";
import { fieldOf, JournalReader } from "./journal-reader.ts";

/** What reading one directory gave. */
export interface JournalReading {
	readonly directory: string;
	readonly cursors: readonly unknown[];
	/** Entries by cursor that JSON.stringify makes comparable. */
	readonly raw: readonly unknown[];
	readonly gaps: number;
	readonly statistics: Readonly<Record<string, number>>;
	readonly error?: string;
}

for (const directory of process.argv.slice(2)) process.stdout.write(`${JSON.stringify(read(directory))}\n`);

function read(directory: string): JournalReading {
	using reader = new JournalReader(directory);
	let error: string | undefined;
	try {
		reader.start().readAll();
	} catch (cause) {
		error = describeError(cause);
	}
	const raw = reader.events.flatMap(({ type, data }) => (type === "tapio.systemd.entry" ? [data.raw] : []));
	const statistics = { ...reader.collector.statistics() };
	return {
		directory,
		cursors: raw.map((entry) => fieldOf(entry, "__CURSOR")),
		raw,
		gaps: reader.gaps.length,
		statistics,
		...(error === undefined ? {} : { error }),
	};
}
