import { EventWriter, eventSource, eventTemplate } from "../../src/event/event-writer.ts";
import { JsonWriter, literal } from "../../src/event/json-writer.ts";
import { Memory } from "../../src/platform/ffi/memory.ts";
import { type BenchRow, leastCpuSeconds } from "./row.ts";

const rounds = 7;
const recordsPerRound = 200_000;
const encoder = new TextEncoder();

/** Texts as they stand in a journal, and the two that cost most. */
const texts: readonly { readonly name: string; readonly text: string }[] = [
	{ name: "14 B identifier", text: "NetworkManager" },
	{ name: "64 B log line", text: 'time="2026-01-02" level=info msg="started container" id=3f2a91c4' },
	{
		name: "120 B plain",
		text: "Started Session 42 of User root on the machine that holds the volumes of the database, after a restart of the unit.......".slice(0, 120),
	},
	{ name: "1 KiB plain", text: "the quick brown fox jumps over the lazy dog, again and again; ".repeat(17).slice(0, 1024) },
	{ name: "1 KiB umlauts", text: "größere Übung für ".repeat(60).slice(0, 950) },
	{ name: "1 KiB of quotes", text: '"'.repeat(1024) },
];

/** Escaping of single texts, and a whole CloudEvent. */
export async function bench(): Promise<BenchRow[]> {
	return [...texts.map(({ name, text }) => escapeRow(name, text)), eventRow()];
}

function escapeRow(name: string, text: string): BenchRow {
	const encoded = encoder.encode(text);
	const source = Memory.allocate(encoded.length + 8);
	source.bytes.set(encoded, 3);
	const writer = new JsonWriter(Memory.allocate(8192));
	const seconds = leastCpuSeconds(rounds, () => {
		for (let index = 0; index < recordsPerRound; index++) {
			writer.position = index & 7;
			writer.escaped(source, 3, encoded.length);
		}
	});
	const perMillion = (seconds / recordsPerRound) * 1e6;
	return { name: `escape, ${name}`, cpuSecondsPerMillion: perMillion, note: `${((perMillion * 1000) / encoded.length).toFixed(2)} ns per byte` };
}

const keys = ["process.pid", "process.parent_pid", "process.user.id", "process.executable.name", "process.command_line"].map((key) =>
	literal(`"${key}":`),
);

function eventRow(): BenchRow {
	const template = eventTemplate(eventSource({ cluster: "default", node: "node-7" }, "kernel"), "tapio.process.exec", "info", "kernel/");
	const command = Memory.allocate(256);
	command.bytes.set(encoder.encode("/usr/bin/containerd-shim-runc-v2 -namespace k8s.io -id 3f2a91c4 -address /run/containerd/containerd.sock"));
	const event = new EventWriter(Memory.allocate(512 * 1024));
	let bytes = 0;
	const seconds = leastCpuSeconds(rounds, () => {
		for (let index = 0; index < recordsPerRound; index++) {
			if (event.position > 500 * 1024) event.position = 0;
			const from = event.position;
			writeEvent(event, template, command, index);
			bytes = event.position - from;
		}
	});
	return {
		name: "encode, one CloudEvent",
		cpuSecondsPerMillion: (seconds / recordsPerRound) * 1e6,
		note: `${bytes} B, 5 attributes, a command line of 104 B`,
	};
}

function writeEvent(event: EventWriter, template: Parameters<EventWriter["begin"]>[0], command: Memory, index: number): void {
	event.sequence = index;
	event.begin(template);
	event.hexadecimal(index, 12);
	event.time(1_767_322_800 + (index >>> 10), index * 1000, 9);
	event.subject();
	event.decimal(index);
	event.data();
	event.attributes();
	for (let key = 0; key < 3; key++) {
		const name = keys[key];
		if (name === undefined) continue;
		event.field(name);
		event.decimal(1000 + index);
	}
	for (let key = 3; key < 5; key++) {
		const name = keys[key];
		if (name === undefined) continue;
		event.field(name);
		event.byte(0x22);
		event.escaped(command, 0, key === 3 ? 32 : 104);
		event.byte(0x22);
	}
	event.end();
}
