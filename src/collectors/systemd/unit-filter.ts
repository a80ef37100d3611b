import type { Journal } from "../../platform/ffi/libsystemd.ts";

/** Message id of a stored core dump (systemd, sd-messages.h, SD_MESSAGE_COREDUMP). */
const coredumpMessage = "MESSAGE_ID=fc2e22bc6ee647b6b90729ab34a250b1";

const unitSuffixes = /\.(?:service|socket|device|mount|automount|swap|target|path|timer|slice|scope)$/;

/** The name of a unit as the journal knows it: `.service` is added where no type is named, as systemctl does. */
export function unitName(unit: string): string {
	return unitSuffixes.test(unit) ? unit : `${unit}.service`;
}

/**
 * Lets only entries of the units through, as `journalctl --unit` does (systemd, logs-show.c, add_matches_for_unit): what the unit said, what the
 * service manager said about it, what a privileged process said about it, and its core dumps. No units: no filter.
 */
export function filterByUnits(journal: Journal, units: readonly string[]): void {
	for (const unit of units.map(unitName)) {
		for (const alternative of [
			[`_SYSTEMD_UNIT=${unit}`],
			["_PID=1", `UNIT=${unit}`],
			["_UID=0", `OBJECT_SYSTEMD_UNIT=${unit}`],
			[coredumpMessage, "_UID=0", `COREDUMP_UNIT=${unit}`],
		]) {
			journal.addDisjunction();
			for (const match of alternative) journal.addMatch(match);
		}
	}
}
