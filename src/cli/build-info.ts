import manifest from "../../package.json" with { type: "json" };
import type { Surroundings } from "../platform/environment.ts";

declare const TAPIO_VERSION: string | undefined;
declare const TAPIO_COMMIT: string | undefined;
declare const TAPIO_TARGET: string | undefined;

/** What this program is. */
export interface BuildInfo {
	readonly version: string;
	/** Of the sources, with "-dirty" where they differed from it; "not built" when run from the sources. */
	readonly commit: string;
	/** What the binary was built for. */
	readonly target: string;
	readonly runtime: string;
}

/** The facts that the build wrote into the binary. */
export function buildInfo({ platform, runtime }: Pick<Surroundings, "platform" | "runtime">): BuildInfo {
	return {
		version: typeof TAPIO_VERSION === "string" ? TAPIO_VERSION : manifest.version,
		commit: typeof TAPIO_COMMIT === "string" ? TAPIO_COMMIT : "not built",
		target: typeof TAPIO_TARGET === "string" ? TAPIO_TARGET : platform,
		runtime,
	};
}
