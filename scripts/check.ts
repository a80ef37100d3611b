/**
 * `bun run check`: everything that can be said about the project without running it, in under a minute. One line a step; the output of a step
 * only where it failed.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { bold, dim, green, red, runAll, type Step, yellow } from "./terminal.ts";

const root = join(import.meta.dir, "..");
const bin = (name: string) => join(root, "node_modules/.bin", name);
const bun = process.execPath;
/** Seconds after which a step is stopped and has failed. */
const stepSecondsMax = 120;
/** Seconds that the whole check may take; beyond it a warning says so. */
const totalSecondsMax = 60;

/** Without generated files nothing else can be judged, so this one comes first. */
const first: readonly Step[] = [{ name: "generated files are fresh", command: [bun, join(root, "scripts/generate.ts"), "--check"] }];
const others: readonly Step[] = [
	{ name: "types (tsc)", command: [bin("tsc")] },
	{ name: "format and lint (biome)", command: [bin("biome"), "check", "--error-on-warnings"] },
	{ name: "dead code (knip)", command: [bin("knip"), "--no-config-hints"] },
	// Whoever runs every test runs these as well, and need not hear it twice.
	...(process.argv.includes("--without-tests") ? [] : [{ name: "house rules (test/tidy)", command: [bun, "test", "--only-failures", "test/tidy"] }]),
];

const started = performance.now();
if (!existsSync(bin("tsc"))) {
	console.error(`${red("✗")} node_modules is missing: run ${bold("npm ci")}, or ${bold("./scripts/test")}, which does everything`);
	process.exit(1);
}
const failed =
	(await runAll(first, { root, secondsMax: stepSecondsMax, together: 1 })) +
	(await runAll(others, { root, secondsMax: stepSecondsMax, together: 2 }));
const seconds = (performance.now() - started) / 1000;
const total = `${first.length + others.length} steps, ${seconds.toFixed(1)} s`;
if (seconds > totalSecondsMax) console.log(yellow(`The check took ${seconds.toFixed(0)} s, more than ${totalSecondsMax}`));
console.log(failed === 0 ? `${green("✓")} ${bold("check")} ${dim(total)}` : `${red("✗")} ${bold(`check: ${failed} failed`)} ${dim(total)}`);
process.exit(failed === 0 ? 0 : 1);
