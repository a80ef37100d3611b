import { OperatingError } from "../base/errors.ts";
import { type Bytes, bytes, type Milliseconds, milliseconds } from "../base/units.ts";

const sizeUnits: readonly (readonly [name: string, factor: number])[] = [
	["TiB", 2 ** 40],
	["GiB", 2 ** 30],
	["MiB", 2 ** 20],
	["KiB", 2 ** 10],
	["TB", 1e12],
	["GB", 1e9],
	["MB", 1e6],
	["kB", 1e3],
	["B", 1],
];

const durationUnits: readonly (readonly [name: string, factor: number])[] = [
	["d", 86_400_000],
	["h", 3_600_000],
	["m", 60_000],
	["s", 1000],
	["ms", 1],
];

const sizeExamples = "512KiB, 100MB or 10GiB";
const durationExamples = "50ms, 30s, 2m, 1h30m or 72h";

/** Longest text that is read as a size or a duration. */
const quantityLengthMax = 64;

/**
 * Reads a size: a number, at most three decimals, and a unit (`512KiB`, `100MB`, `1.5GiB`; letters in any case). Only 0 may go without a unit. Throws
 * OperatingError "size_syntax" with what was expected.
 */
export function parseSize(text: string): Bytes {
	const match = text.length > quantityLengthMax ? null : /^\s*(\d+(?:\.\d{1,3})?)\s*([A-Za-z]*)\s*$/.exec(text);
	const [, digits = "", unitName = ""] = match ?? [];
	if (match === null) throw new OperatingError("size_syntax", `expects a size such as ${sizeExamples}`);
	if (unitName === "") {
		if (Number(digits) === 0) return bytes(0);
		throw new OperatingError("size_syntax", `has no unit: write ${digits}KiB, ${digits}MiB or ${digits}B`);
	}
	const unit = sizeUnits.find(([name]) => name.toLowerCase() === unitName.toLowerCase());
	if (unit === undefined) {
		const meant = sizeUnits.find(([name]) => name.toLowerCase() === `${unitName.toLowerCase()}ib`);
		throw new OperatingError(
			"size_syntax",
			`has an unknown unit "${unitName}": ${meant ? `write ${digits}${meant[0]}` : "use B, kB, MB, GB, TB, KiB, MiB, GiB or TiB"}`,
		);
	}
	const size = Math.round(Number(digits) * unit[1]);
	if (!Number.isSafeInteger(size)) throw new OperatingError("size_syntax", "is too large");
	return bytes(size);
}

/**
 * Reads a duration: numbers with units, from large to small (`50ms`, `30s`, `1h30m`, `1.5s`). Only 0 may go without a unit. Throws OperatingError
 * "duration_syntax" with what was expected.
 */
export function parseDuration(text: string): Milliseconds {
	const trimmed = text.trim();
	if (/^\d+(\.\d+)?$/.test(trimmed) && trimmed.length <= quantityLengthMax) {
		if (Number(trimmed) === 0) return milliseconds(0);
		throw new OperatingError("duration_syntax", `has no unit: write ${trimmed}s or ${trimmed}ms`);
	}
	if (trimmed.length > quantityLengthMax || !/^(\d+(\.\d{1,3})?(ms|[dhms]))+$/.test(trimmed)) {
		throw new OperatingError("duration_syntax", `expects a duration such as ${durationExamples}`);
	}
	let total = 0;
	let previous = Number.POSITIVE_INFINITY;
	for (const [, digits = "", unitName] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|[dhms])/g)) {
		const factor = durationUnits.find(([name]) => name === unitName)?.[1] ?? 0;
		if (factor >= previous) throw new OperatingError("duration_syntax", `expects units from large to small, each once, as in 1h30m`);
		previous = factor;
		total += Number(digits) * factor;
	}
	const duration = Math.round(total);
	if (!Number.isSafeInteger(duration)) throw new OperatingError("duration_syntax", "is too long");
	return milliseconds(duration);
}

/** The shortest exact text of a size: `512KiB`, `100MB`, `0`. {@link parseSize} reads it back. */
export function formatSize(size: Bytes): string {
	if (size === 0) return "0";
	const exact = sizeUnits.filter(([, factor]) => size % factor === 0).map(([name, factor]) => `${size / factor}${name}`);
	return exact.reduce((shortest, text) => (text.length < shortest.length ? text : shortest));
}

/** The exact text of a duration: `50ms`, `1h30m`, `72h`, `0`. {@link parseDuration} reads it back. */
export function formatDuration(duration: Milliseconds): string {
	if (duration === 0) return "0";
	let rest: number = duration;
	let text = "";
	for (const [name, factor] of durationUnits) {
		// Three days are usually written 72h: whole days only from a week on.
		if (name === "d" && (rest % factor !== 0 || rest < 7 * factor)) continue;
		const count = Math.floor(rest / factor);
		if (count > 0) text += `${count}${name}`;
		rest -= count * factor;
	}
	return text;
}
