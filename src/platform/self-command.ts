/** Where a compiled binary keeps its own modules. */
const compiledRoot = "/$bunfs/";

/** A command line, and what the process is to call itself. */
export interface SelfCommand {
	readonly command: readonly string[];
	readonly name: string;
}

/**
 * The command that starts this same agent again: the binary, or bun with the main module in a working copy. By /proc, so that it is the same build also
 * when the file was replaced or removed meanwhile, as an update does.
 */
export function selfCommand(): SelfCommand {
	const isCompiled = Bun.main.startsWith(compiledRoot);
	return { command: isCompiled ? ["/proc/self/exe"] : ["/proc/self/exe", Bun.main], name: process.execPath };
}
