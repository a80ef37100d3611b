import schema from "../config/schema.gen.json" with { type: "json" };
import type { CommandContext } from "./command.ts";

/** Prints the JSON Schema of the configuration file. */
export async function execute({ terminal }: CommandContext): Promise<number> {
	terminal.out.write(`${JSON.stringify(schema, undefined, 2)}\n`);
	return 0;
}
