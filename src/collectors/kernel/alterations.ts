import type { EventWriter } from "../../event/event-writer.ts";
import { literal } from "../../event/json-writer.ts";

/** What was done to a field before it was published. */
export interface Alteration {
	readonly field: string;
	readonly reason: "cut" | "invalid_utf8" | "redacted" | "unreadable";
	/** Bytes of the whole, where some were cut. */
	readonly bytes?: number;
}

/** Appends `data.altered`, where there is something to say. */
export function writeAlterations(event: EventWriter, list: readonly Alteration[]): void {
	if (list.length === 0) return;
	event.alteredList();
	// Rare: an event in a thousand pays for the text.
	event.literal(literal(JSON.stringify(list)));
}
