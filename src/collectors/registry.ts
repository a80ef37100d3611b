import { OperatingError } from "../base/errors.ts";
import type { CollectorDefinition } from "./collector.ts";
import { kernelCollector } from "./kernel/definition.ts";
import { systemdCollector } from "./systemd/definition.ts";

/** Every collector of this build; a new one is its folder and a line here. */
export const collectorDefinitions: readonly CollectorDefinition[] = [systemdCollector, kernelCollector];

/** The definition of a collector. Throws OperatingError "unknown_collector". */
export function collectorDefinition(name: string): CollectorDefinition {
	const found = collectorDefinitions.find((definition) => definition.name === name);
	if (found === undefined) {
		throw new OperatingError("unknown_collector", `Find the collector ${name}`, {
			hint: `this build has ${collectorDefinitions.map((definition) => definition.name).join(", ")}`,
		});
	}
	return found;
}
