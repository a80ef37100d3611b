const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Rounds of halving. A text of 16 MiB is down to 16 bytes after twenty. */
const roundsMax = 24;
/** Texts shorter than this are never cut. */
const textLengthMin = 16;

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/**
 * Makes one event fit `bytesMax` by cutting its longest texts and arrays, and says so: `"truncated":true` beside the event's other attributes and
 * each cut field in `data.altered`. Undefined where even that does not fit. `event` is the JSON text of a CloudEvent.
 */
export function fitEvent(event: Uint8Array, bytesMax: number): Uint8Array | undefined {
	const parsed: { [key: string]: Json } = JSON.parse(decoder.decode(event));
	const data = parsed["data"];
	if (typeof data !== "object" || data === null || Array.isArray(data)) return undefined;
	parsed["truncated"] = true;
	const cuts = new Map<string, number>();
	const before = Array.isArray(data["altered"]) ? data["altered"] : [];
	let longest = longestText(data);
	for (let round = 0; round < roundsMax && longest >= textLengthMin; round++) {
		const limit = Math.max(textLengthMin, Math.floor(longest / 2));
		cutTexts(data, limit, "", cuts);
		data["altered"] = [...before, ...[...cuts].map(([field, length]) => ({ field, reason: "cut", bytes: length }))];
		const text = encoder.encode(JSON.stringify(parsed));
		if (text.length <= bytesMax) return text;
		longest = limit > textLengthMin ? limit : 0;
	}
	return undefined;
}

function longestText(value: Json): number {
	if (typeof value === "string") return value.length;
	if (Array.isArray(value)) return value.reduce<number>((longest, item) => Math.max(longest, longestText(item)), value.length);
	if (typeof value === "object" && value !== null)
		return Object.values(value).reduce<number>((longest, item) => Math.max(longest, longestText(item)), 0);
	return 0;
}

/** Cuts in place; the field's original length in bytes goes to `cuts` once. */
function cutTexts(parent: { [key: string]: Json }, limit: number, path: string, cuts: Map<string, number>): void {
	for (const [key, value] of Object.entries(parent)) {
		if (key === "altered") continue;
		const name = path === "" ? key : `${path}.${key}`;
		if (typeof value === "string" && value.length > limit) {
			if (!cuts.has(name)) cuts.set(name, encoder.encode(value).length);
			parent[key] = value.slice(0, limit).toWellFormed();
		} else if (Array.isArray(value) && value.length > limit) {
			if (!cuts.has(name)) cuts.set(name, value.length);
			parent[key] = value.slice(0, limit);
		} else if (typeof value === "object" && value !== null && !Array.isArray(value)) {
			cutTexts(value, limit, name, cuts);
		}
	}
}
