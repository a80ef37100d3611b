import { expect } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";

/**
 * Compares `actual` with the golden file at `path`. With TAPIO_GOLDEN=write the file is written instead, to be read in the diff before it is
 * committed; without it a missing file is a failure.
 */
export function expectGolden(path: string, actual: string): void {
	if (process.env["TAPIO_GOLDEN"] === "write") writeFileSync(path, actual);
	expect(existsSync(path) ? readFileSync(path, "utf8") : `${path} is missing`).toBe(actual);
}
