import { nearest } from "../base/nearest.ts";
import { printable } from "../base/printable.ts";
import type { Variables } from "./expand.ts";
import type { Problem } from "./problems.ts";
import { isSwitchedOff } from "./resolve.ts";
import { type CollectorSection, knownCollectorNames } from "./schema.ts";
import type { SourceEntry, SourceSection } from "./source-tree.ts";

/** The configuration with only the collectors of this build, and what is wrong with the others. */
export interface Available {
	readonly root: SourceSection;
	readonly problems: readonly Problem[];
}

/** Takes out collectors that this build does not have: switched off they are accepted, else each is a problem. */
export function keepAvailable(root: SourceSection, collectors: readonly CollectorSection[], variables: Variables): Available {
	const section = root.entries.get("collectors");
	if (section?.value.kind !== "section") return { root, problems: [] };
	const names = collectors.map((collector) => collector.name).toSorted();
	const build = names.length === 0 ? "this build has none" : `this build has ${names.join(", ")}`;
	const problems: Problem[] = [];
	const kept = new Map<string, SourceEntry>();
	for (const [name, entry] of section.value.entries) {
		if (names.includes(name)) kept.set(name, entry);
		else if (knownCollectorNames.some((known) => known === name)) {
			const off = entry.value.kind === "section" && isSwitchedOff(entry.value, "enabled", variables);
			const origin = entry.value.kind === "section" ? (entry.value.entries.get("enabled")?.origin ?? entry.origin) : entry.origin;
			const hint = origin.kind === "file" ? "remove it, or set enabled: false" : undefined;
			if (!off) problems.push({ origin, key: "", message: `collector "${name}" is not part of this build; ${build}`, hint });
		} else {
			const near = nearest(name, [...names, ...knownCollectorNames]);
			const suggestion = near === undefined ? `; ${build}` : `; did you mean "${near}"?`;
			problems.push({ origin: entry.origin, key: "", message: `unknown collector "${printable(name)}"${suggestion}` });
		}
	}
	const entries = new Map(root.entries);
	entries.set("collectors", { origin: section.origin, value: { ...section.value, entries: kept } });
	return { root: { ...root, entries }, problems };
}
