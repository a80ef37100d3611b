import { mkdirSync } from "node:fs";

/** One entry: names with text or bytes; repeated names are repeated fields. */
export type EntryFields = readonly (readonly [name: string, value: string | Uint8Array])[];

const remote = "/lib/systemd/systemd-journal-remote";
const encoder = new TextEncoder();
/** Microseconds since the epoch of the first entry, and between two. */
const firstTime = 1_758_880_000_000_000;
const timeStep = 250;
const bootId = "bdd640fb06671ad11c80317fa3b1799d";
/** Text is handed on in pieces of this many entries. */
const chunkEntries = 2000;

/**
 * Writes entries as real journal files into `directory`, through systemd-journal-remote (Journal Export Format). `older`: how many entries are older than
 * these, by their stamps.
 */
export async function writeJournal(directory: string, entries: Iterable<EntryFields>, older = 0): Promise<void> {
	mkdirSync(directory, { recursive: true });
	const writer = Bun.spawn([remote, "-o", `${directory}/system.journal`, "-"], { stdin: "pipe", stdout: "ignore", stderr: "pipe" });
	let parts: Buffer[] = [];
	let index = older;
	for (const entry of entries) {
		parts.push(exportEntry(entry, index++));
		if (parts.length < chunkEntries) continue;
		writer.stdin.write(Buffer.concat(parts));
		await writer.stdin.flush();
		parts = [];
	}
	writer.stdin.write(Buffer.concat(parts));
	await writer.stdin.end();
	const [status, text] = await Promise.all([writer.exited, new Response(writer.stderr).text()]);
	if (status !== 0) throw new Error(`systemd-journal-remote ended with ${status}: ${text}`);
}

function exportEntry(entry: EntryFields, index: number): Buffer {
	const time = firstTime + index * timeStep;
	const parts = [encoder.encode(`__REALTIME_TIMESTAMP=${time}\n__MONOTONIC_TIMESTAMP=${5_000_000 + index * timeStep}\n_BOOT_ID=${bootId}\n`)];
	for (const [name, value] of entry) {
		const bytes = typeof value === "string" ? encoder.encode(value) : value;
		if (typeof value === "string" && !/[\n\0]/.test(value)) {
			parts.push(encoder.encode(`${name}=${value}\n`));
			continue;
		}
		const length = new Uint8Array(8);
		new DataView(length.buffer).setBigUint64(0, BigInt(bytes.length), true);
		parts.push(encoder.encode(`${name}\n`), length, new Uint8Array(bytes), encoder.encode("\n"));
	}
	parts.push(encoder.encode("\n"));
	return Buffer.concat(parts);
}

const units = ["kubelet.service", "containerd.service", "sshd.service", "nginx.service", "cron.service", "etcd.service"] as const;

/** The fields of an ordinary entry of a server: about twenty, most of them repeated from entry to entry, `TAPIO_SEQ` counting. */
export function ordinaryEntry(number: number, message?: string | Uint8Array): EntryFields {
	const unit = units[(number * 7) % units.length] ?? units[0];
	const name = unit.replace(".service", "");
	const pid = String(300 + ((number * 31) % 40));
	return [
		["_HOSTNAME", "node-01"],
		["_MACHINE_ID", "1c80317fa3b1799dbdd640fb06671ad1"],
		["_TRANSPORT", "stdout"],
		["PRIORITY", String(3 + ((number * 5) % 5))],
		["SYSLOG_FACILITY", "3"],
		["SYSLOG_IDENTIFIER", name],
		["_PID", pid],
		["_UID", "0"],
		["_GID", "0"],
		["_COMM", name],
		["_EXE", `/usr/bin/${name}`],
		["_CMDLINE", `/usr/bin/${name} --config=/etc/${name}/config.yaml --node-ip=10.0.0.12 --v=2`],
		["_CAP_EFFECTIVE", "1ffffffffff"],
		["_SYSTEMD_CGROUP", `/system.slice/${unit}`],
		["_SYSTEMD_UNIT", unit],
		["_SYSTEMD_SLICE", "system.slice"],
		["_STREAM_ID", `${pid}0000000000000000000000000000`],
		["TAPIO_SEQ", String(number)],
		[
			"MESSAGE",
			message ??
				`I0926 10:00:00.${String(number).padStart(6, "0")} ${pid} ${name}.go:2421] "SyncLoop event" pod="default/web-${number}" step=${number * 17}`,
		],
	];
}

/** Ordinary entries numbered from `first`. */
export function* ordinaryEntries(count: number, first = 0): Generator<EntryFields> {
	for (let number = first; number < first + count; number++) yield ordinaryEntry(number);
}

/** What journalctl says of a directory, parsed, all fields whole. */
export async function readWithJournalctl(directory: string, ...options: string[]): Promise<Record<string, unknown>[]> {
	const reader = Bun.spawn(["journalctl", "-D", directory, "-o", "json", "--no-pager", "--all", ...options], { stdout: "pipe", stderr: "ignore" });
	const text = await new Response(reader.stdout).text();
	return text
		.split("\n")
		.filter((line) => line !== "")
		.map((line): Record<string, unknown> => JSON.parse(line));
}
