/** Where a compiled binary keeps its own modules. */
const compiledRoot = "/$bunfs/";

/** The command that starts this same agent again: the binary, or bun with the main module in a working copy. */
export function selfCommand(): readonly string[] {
	return Bun.main.startsWith(compiledRoot) ? [process.execPath] : [process.execPath, Bun.main];
}
