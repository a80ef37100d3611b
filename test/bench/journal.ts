import { readFileSync } from "node:fs";
import { join } from "node:path";
import { EntryEncoder } from "../../src/collectors/systemd/encoder.ts";
import { Journal } from "../../src/platform/ffi/libsystemd.ts";
import { Agent } from "../support/agent.ts";
import { ordinaryEntries, writeJournal } from "../support/journal-files.ts";
import { NatsServer } from "../support/nats-server.ts";
import { writeNodeConfig } from "../support/node-config.ts";
import { lacking } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait-until.ts";
import { type BenchRow, processCpuSeconds } from "./row.ts";

const entries = Number(process.env["TAPIO_BENCH_ENTRIES"] ?? 300_000);
/** Each way is tried this often, in turns with the others; the cheapest run counts, the rest is the machine's noise. */
const rounds = 3;
const recordBytesMax = 1 << 20;
/** Microseconds of /proc/PID/stat's unit of time, which is fixed for user space (proc(5)). */
const tickMicroseconds = 10_000;
const deliveryMax = 120_000;

/** A journal of ordinary entries, read and formatted from its head: by journalctl, by C, by the reader, and by the whole agent into JetStream. */
export async function bench(): Promise<BenchRow[]> {
	if (lacking("journal") !== undefined || lacking("nats") !== undefined) return [];
	using directory = temporaryDirectory("bench");
	const journal = directory.join("journal");
	await writeJournal(journal, ordinaryEntries(entries));
	const program = directory.join("journal-read");
	const isBuilt = Bun.spawnSync(["gcc", "-O2", "-Wall", "-o", program, join(import.meta.dir, "journal-read.c"), "-lsystemd"]).success;
	const ways: Way[] = [
		{ name: "journal, journalctl -o json", note: "the reference", run: () => command(["journalctl", "-D", journal, "-o", "json", "--no-pager"]) },
		{ name: "journal, reader in process", note: "next, cursor and the record of every entry", run: () => readInProcess(journal) },
		{ name: "journal, agent into JetStream", note: "agent and child, acknowledged batches of 512 KiB", run: () => wholeAgent(journal) },
	];
	if (isBuilt) {
		ways.push({ name: "journal, C, copy", note: "libsystemd alone: every field copied", run: () => command([program, "copy", journal]) });
		ways.push({ name: "journal, C, JSON", note: "every field escaped, no cache", run: () => command([program, "json", journal]) });
	}
	const best = new Map<string, Measured>();
	for (let round = 0; round < rounds; round++) {
		for (const { name, run } of ways) {
			const measured = await run();
			if (measured.cpuSeconds < (best.get(name)?.cpuSeconds ?? Number.POSITIVE_INFINITY)) best.set(name, measured);
		}
	}
	const reference = best.get(ways[0]?.name ?? "")?.cpuSeconds ?? Number.NaN;
	return ways.flatMap(({ name, note }) => {
		const measured = best.get(name);
		return measured === undefined ? [] : [toRow(name, note, measured, reference)];
	});
}

interface Way {
	readonly name: string;
	readonly note: string;
	readonly run: () => Measured | Promise<Measured>;
}

interface Measured {
	readonly cpuSeconds: number;
	readonly wallSeconds: number;
	readonly ownMb?: number;
	readonly lost?: number;
}

function toRow(name: string, note: string, { cpuSeconds, wallSeconds, ownMb, lost }: Measured, reference: number): BenchRow {
	return {
		name,
		cpuSecondsPerMillion: (cpuSeconds / entries) * 1e6,
		ratio: cpuSeconds / reference,
		...(ownMb === undefined ? {} : { rssMb: ownMb }),
		...(lost === undefined ? {} : { lost }),
		note: `${note}; ${Math.round(entries / wallSeconds / 1000)}k entries/s${ownMb === undefined ? "" : "; memory is anonymous and shared, each page once"}`,
	};
}

async function command(words: readonly string[]): Promise<Measured> {
	const began = performance.now();
	const child = Bun.spawn([...words], { stdio: ["ignore", "ignore", "ignore"] });
	if ((await child.exited) !== 0) throw new Error(`${words.join(" ")} ended with ${child.exitCode}`);
	const microseconds = Number(child.resourceUsage()?.cpuTime.total ?? Number.NaN);
	return { cpuSeconds: microseconds / 1e6, wallSeconds: (performance.now() - began) / 1000 };
}

function readInProcess(path: string): Measured {
	const cpu = processCpuSeconds();
	const began = performance.now();
	using journal = new Journal(path);
	const encoder = new EntryEncoder({ cluster: "default", node: "bench" }, recordBytesMax);
	encoder.attach(journal);
	journal.seekHead();
	let read = 0;
	while (journal.next() > 0) {
		if (encoder.readCursor() > 0 && encoder.encode() === "encoded") read++;
	}
	return { cpuSeconds: processCpuSeconds() - cpu, wallSeconds: (performance.now() - began) / 1000, lost: entries - read };
}

async function wholeAgent(journal: string): Promise<Measured> {
	using directory = temporaryDirectory("bench");
	await using server = await NatsServer.start();
	const settings = writeNodeConfig(directory, { natsUrl: server.url, journal });
	const began = performance.now();
	await using agent = new Agent({ arguments: settings });
	let ownMb = 0;
	let looks = 0;
	await waitUntil(
		"everything is delivered",
		() => {
			// Looking costs the agent time as well: memory every half second, its state every fiftieth.
			if (++looks % 4 !== 0) return false;
			if (looks % 100 === 0) ownMb = Math.max(ownMb, ownMegabytes([agent.pid, ...agent.children()]));
			return acknowledged(directory.join("state/lanes/systemd.lane")) === entries;
		},
		deliveryMax,
	);
	const wallSeconds = (performance.now() - began) / 1000;
	const cpuSeconds = cpuSecondsOf([agent.pid, ...agent.children()]);
	const end = await agent.stop();
	return { cpuSeconds, wallSeconds, ownMb, lost: entries - (end.ledger["systemd"]?.published ?? 0) };
}

/** Sequence of the last acknowledged event, from the lane's state: asking the server would cost it time. */
function acknowledged(path: string): number {
	try {
		const marks = [...readFileSync(path, "latin1").matchAll(/^[0-9a-f]{8} \["a",\d+,(\d+),/gm)];
		return Number(marks.at(-1)?.[1] ?? 0);
	} catch {
		// The agent has yet to make it.
		return 0;
	}
}

/** CPU time of processes so far, with that of children that ended. */
function cpuSecondsOf(pids: readonly number[]): number {
	let ticks = 0;
	for (const pid of pids) {
		// Behind the name, which may hold anything: user, system, and both of the ended children are words 12 to 15.
		const words = readFileSync(`/proc/${pid}/stat`, "latin1")
			.replace(/^.*\) /s, "")
			.split(" ");
		for (const word of words.slice(11, 15)) ticks += Number(word);
	}
	return (ticks * tickMicroseconds) / 1e6;
}

/** Anonymous and shared memory of processes in MiB, each page once. */
function ownMegabytes(pids: readonly number[]): number {
	let kilobytes = 0;
	for (const pid of pids) {
		try {
			for (const [, amount] of readFileSync(`/proc/${pid}/smaps_rollup`, "latin1").matchAll(/^Pss_(?:Anon|Shmem): *(\d+)/gm))
				kilobytes += Number(amount);
		} catch {
			// It ended between two looks.
		}
	}
	return kilobytes / 1024;
}
