import * as v from "valibot";
import { OperatingError } from "../base/errors.ts";
import type { Bytes, Milliseconds } from "../base/units.ts";
import { formatDuration, formatSize, parseDuration, parseSize } from "./quantities.ts";

/** What the loader, the reference and the masks need to know about a key beside its type. */
export interface FieldNotes {
	/** Never shown. */
	readonly secret?: boolean;
	/** Shown without the user part. */
	readonly url?: boolean;
	/** A size or a duration: text with a unit. */
	readonly quantity?: "size" | "duration";
	/** What the key is without a value, where that depends on something else. */
	readonly situation?: string;
	/** The allowed values, for the reference: `1 to 64`. */
	readonly range?: string;
}

/** A key that holds text. */
export function text(documentation: string, fallback: string) {
	return v.optional(v.pipe(v.string(), v.description(documentation)), fallback);
}

/** A key that holds text of at least one character. */
export function nonEmptyText(documentation: string, fallback: string) {
	return v.optional(v.pipe(v.string(), v.nonEmpty("must not be empty"), v.description(documentation)), fallback);
}

/** Longest name of a node or cluster, as of a DNS name. */
const nameLengthMax = 253;

/** A key that holds a name, of which subjects and sources are made. `situation` says what an empty one stands for. */
export function name(documentation: string, fallback: string, situation?: string) {
	const notes: FieldNotes = situation === undefined ? {} : { situation };
	const schema = v.pipe(v.string(), v.maxLength(nameLengthMax, `must be at most ${nameLengthMax} characters`));
	return v.optional(
		v.pipe(
			schema,
			v.check((value) => situation !== undefined || value.trim() !== "", "must not be empty"),
			v.metadata({ ...notes }),
			v.description(documentation),
		),
		fallback,
	);
}

/** A key that holds text which is never shown. */
export function secret(documentation: string) {
	return v.optional(v.pipe(v.string(), v.metadata({ secret: true } satisfies FieldNotes), v.description(documentation)), "");
}

/** A switch. */
export function toggle(documentation: string, fallback: boolean) {
	return v.optional(v.pipe(v.boolean(), v.description(documentation)), fallback);
}

/** A switch whose default the loader decides by `situation`; undefined until then. */
export function situationalToggle(documentation: string, situation: string) {
	return v.optional(v.pipe(v.boolean(), v.metadata({ situation } satisfies FieldNotes), v.description(documentation)));
}

/** A key that holds one of some words. */
export function choice<const Words extends readonly [string, ...string[]]>(documentation: string, words: Words, fallback: Words[number]) {
	return v.optional(v.pipe(v.picklist(words), v.description(documentation)), fallback);
}

/** A key that holds a whole number in a range. */
export function whole(documentation: string, fallback: number, range: { least: number; most: number }) {
	return v.optional(wholeSchema(documentation, range), fallback);
}

/** The same without a default, for a key that is like another one, named by `situation`, as long as nobody sets it. */
export function situationalWhole(documentation: string, situation: string, range: { least: number; most: number }) {
	return v.optional(wholeSchema(documentation, range, { situation }));
}

function wholeSchema(documentation: string, { least, most }: { least: number; most: number }, notes: FieldNotes = {}) {
	return v.pipe(
		v.number(),
		v.integer("must be a whole number"),
		v.minValue(least, `must be at least ${least}`),
		v.maxValue(most, `must be at most ${most}`),
		v.metadata({ ...notes, range: `${least} to ${most}` } satisfies FieldNotes),
		v.description(documentation),
	);
}

/** A key that holds a list of texts. */
export function list(documentation: string, fallback: readonly string[]) {
	return v.optional(v.pipe(v.array(v.pipe(v.string(), v.nonEmpty("must not be empty"))), v.description(documentation)), [...fallback]);
}

/** A key that holds a size with a unit; bytes once read. The limits and the default are written as in a file. */
export function size(documentation: string, fallback: string, range: { least: string; most: string }) {
	const [least, most] = [parseSize(range.least), parseSize(range.most)];
	const schema = v.pipe(
		v.union([v.string(), v.number()]),
		v.rawTransform<string | number, Bytes>(({ dataset, addIssue, NEVER }) => {
			const read = readQuantity(() => parseSize(String(dataset.value)), { least, most, format: formatSize });
			if (typeof read === "number") return read;
			addIssue({ message: read });
			return NEVER;
		}),
		v.metadata({ quantity: "size", range: `${range.least} to ${range.most}` } satisfies FieldNotes),
		v.description(documentation),
	);
	return v.optional(schema, fallback);
}

/** A key that holds a duration with a unit; milliseconds once read. The limits and the default are written as in a file. */
export function duration(documentation: string, fallback: string, range: { least: string; most: string }) {
	const [least, most] = [parseDuration(range.least), parseDuration(range.most)];
	const schema = v.pipe(
		v.union([v.string(), v.number()]),
		v.rawTransform<string | number, Milliseconds>(({ dataset, addIssue, NEVER }) => {
			const read = readQuantity(() => parseDuration(String(dataset.value)), { least, most, format: formatDuration });
			if (typeof read === "number") return read;
			addIssue({ message: read });
			return NEVER;
		}),
		v.metadata({ quantity: "duration", range: `${range.least} to ${range.most}` } satisfies FieldNotes),
		v.description(documentation),
	);
	return v.optional(schema, fallback);
}

/** The quantity, or what is wrong with it. */
function readQuantity<Unit extends number>(
	read: () => Unit,
	{ least, most, format }: { least: Unit; most: Unit; format: (value: Unit) => string },
): Unit | string {
	let value: Unit;
	try {
		value = read();
	} catch (error) {
		if (error instanceof OperatingError) return error.message;
		throw error;
	}
	if (value < least) return `must be at least ${format(least)}`;
	if (value > most) return `must be at most ${format(most)}`;
	return value;
}
