/**
 * `bun run sim [SEED] [--rounds N] [--flapping | --live]`: plays the deterministic simulation of delivery. One seed alone is told step by step; several end with one line.
 * The status is 1 where a promise was broken, and the seed is named; 64 where it is called wrongly.
 */
import { parseArgs } from "node:util";
import { flappingRound } from "../test/sim/flapping-round.ts";
import { keptRound } from "../test/sim/kept-round.ts";
import { laneRound } from "../test/sim/lane-round.ts";
import { bold, green, red } from "./terminal.ts";

/** Rounds where nothing is said: some seconds of each kind. */
const roundsDefault = { lane: 1000, flapping: 10, live: 100 };

/** Broken rounds that are named. Beyond it the rest is not played. */
const brokenMax = 10;

const seedMax = 2 ** 32 - 1;

const usage = `Usage: bun run sim [SEED] [--rounds N] [--flapping | --live]

Plays the deterministic simulation of delivery: a lane with its state on a disk and a stream behind a
network, and everything going wrong between any two steps. The same seed gives the same round.

  bun run sim                       seeds 1 to ${roundsDefault.lane}, one line at the end
  bun run sim 42                    the round of seed 42, told step by step
  bun run sim 42 --rounds 500       seeds 42 to 541, one line at the end
  bun run sim --flapping            an hour each behind a network that goes down and up, seeds 1 to ${roundsDefault.flapping}
  bun run sim --live                minutes each of a source that cannot be read again: its spool, a network that goes
                                    down and up, a disk that refuses, kills and losses of power, seeds 1 to ${roundsDefault.live}

Status: 0 where every event of every round is stored once and in order (with --live every event that was called
safe), 1 where not, 64 for a wrong call.
`;

/** What the two kinds of round have in common. */
interface Round {
	readonly problem: string | undefined;
	readonly hash: number;
}

type Kind = keyof typeof roundsDefault;

type Play = (seed: number, tell?: (line: string) => void) => Promise<Round>;

const plays: Readonly<Record<Kind, Play>> = { lane: laneRound, flapping: flappingRound, live: keptRound };

// Whoever reads no further, such as head, has seen enough.
process.stdout.on("error", () => process.exit(1));
process.exitCode = await main();

async function main(): Promise<number> {
	let call: ReturnType<typeof readCall>;
	try {
		call = readCall();
	} catch (error) {
		process.stderr.write(`${red("✗")} ${error instanceof Error ? error.message : String(error)}\n\n${usage}`);
		return 64;
	}
	if (call.help) process.stdout.write(usage);
	if (call.help) return 0;
	const play = plays[call.kind];
	return call.rounds === undefined ? await tellRound(play, call.seed) : await playRounds(play, call.seed, call.rounds);
}

/** Throws an error that says what is wrong with the call. */
function readCall() {
	const { values, positionals } = parseArgs({
		allowPositionals: true,
		options: {
			rounds: { type: "string" },
			flapping: { type: "boolean", default: false },
			live: { type: "boolean", default: false },
			help: { type: "boolean", short: "h", default: false },
		},
	});
	const [seed, ...more] = positionals;
	if (more.length > 0) throw new Error(`One seed is enough: ${more.join(" ")} is too much`);
	const { flapping, live, help } = values;
	if (flapping && live) throw new Error("One kind of round is enough: --flapping or --live");
	const kind: Kind = flapping ? "flapping" : live ? "live" : "lane";
	const rounds = values.rounds ?? (seed === undefined ? String(roundsDefault[kind]) : undefined);
	return {
		kind,
		help,
		seed: seed === undefined ? 1 : wholeNumber("SEED", seed, 0),
		rounds: rounds === undefined ? undefined : wholeNumber("--rounds", rounds, 1),
	};
}

function wholeNumber(name: string, text: string, min: number): number {
	const value = /^\d{1,10}$/.test(text) ? Number(text) : -1;
	if (value < min || value > seedMax) throw new Error(`${name} is a whole number from ${min} to ${seedMax}, not ${JSON.stringify(text)}`);
	return value;
}

async function tellRound(play: Play, seed: number): Promise<number> {
	const round = await play(seed, (line) => process.stdout.write(`${line}\n`));
	process.stdout.write(`\nSeed ${seed}, ${numbersOf(round)}, hash ${round.hash.toString(16).padStart(8, "0")}\n`);
	process.stdout.write(round.problem === undefined ? `${green("✓")} every event is stored once and in order\n` : `${red("✗")} ${round.problem}\n`);
	return round.problem === undefined ? 0 : 1;
}

async function playRounds(play: Play, seed: number, rounds: number): Promise<number> {
	const sum: Record<string, number> = {};
	const broken: number[] = [];
	let played = 0;
	const showProgress = process.stderr.isTTY ? () => process.stderr.write(`\r${played} of ${rounds} rounds`) : () => false;
	while (played < rounds && broken.length < brokenMax) {
		const current = (seed + played) % (seedMax + 1);
		const round = await play(current);
		played++;
		add(sum, round);
		if (round.problem !== undefined) {
			broken.push(current);
			if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
			process.stdout.write(`${red("✗")} Seed ${current}: ${round.problem}\n`);
		}
		if (played % 20 === 0 || played === rounds) showProgress();
	}
	if (process.stderr.isTTY) process.stderr.write("\r\x1b[K");
	const last = (seed + played - 1) % (seedMax + 1);
	const verdict =
		broken.length === 0
			? `${green("✓")} every event stored once and in order`
			: `${red("✗")} ${broken.length} rounds broken, seeds ${broken.join(", ")}`;
	process.stdout.write(`${verdict}: ${bold(`${played} rounds`)}, seeds ${seed} to ${last}, ${numbersOf(sum)}\n`);
	return broken.length === 0 ? 0 : 1;
}

/** Adds up what is counted; of what is a maximum the largest counts. */
function add(sum: Record<string, number>, round: Round): void {
	for (const [name, value] of Object.entries(round)) {
		if (typeof value !== "number" || name === "hash") continue;
		sum[name] = name.endsWith("Max") ? Math.max(sum[name] ?? 0, value) : (sum[name] ?? 0) + value;
	}
}

/** The numbers of a round in words: `faults 12, diskFaults 3` as `12 faults, 3 disk faults`. */
function numbersOf(round: object): string {
	const words = (name: string) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
	const numbers = Object.entries(round).filter(([name, value]) => typeof value === "number" && name !== "hash");
	return numbers.map(([name, value]) => `${Math.round(value)} ${words(name)}`).join(", ");
}
