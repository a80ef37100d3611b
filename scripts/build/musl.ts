import type { Libraries } from "./libraries.ts";
import type { Target } from "./targets.ts";

/** Debian has no libbpf for musl. */
export async function muslLibraries(_target: Target): Promise<Libraries> {
	return { files: [], sources: [], needs: "musl 1.2", absent: "kernel collector: this build for musl carries no libbpf" };
}
