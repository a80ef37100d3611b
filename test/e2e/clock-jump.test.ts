import { expect } from "bun:test";
import { writeFileSync } from "node:fs";
import { systemClock } from "../../src/platform/clock.ts";
import { Agent } from "../support/agent.ts";
import { delivered, deliveredUpTo, expectSame, numbersOf, readEvents } from "../support/cloud-events.ts";
import { compileExecStorm, runExecStorm } from "../support/exec-storm.ts";
import { expectAccount } from "../support/expect-account.ts";
import { ordinaryEntries, writeJournal } from "../support/journal-files.ts";
import { NatsServer } from "../support/nats-server.ts";
import { writeNodeConfig } from "../support/node-config.ts";
import { clockLibrary, testNeeding } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait-until.ts";

const entries = 20_000;
const executions = 300;
const kernel = "tapio.events.test.kernel";
const systemd = "tapio.events.test.systemd";

testNeeding(
	["journal", "kernel", "nats", "clang", "faketime"],
	"agent whose clock jumps back by hours and forth again delivers everything once and in order, from the journal, from memory and from disk",
	async () => {
		await using server = await NatsServer.start();
		using directory = temporaryDirectory();
		const program = await compileExecStorm(directory.path);
		await writeJournal(directory.join("journal"), ordinaryEntries(entries));
		const clock = directory.join("clock");
		const jump = (hours: number) => writeFileSync(clock, `${hours < 0 ? "" : "+"}${hours}h\n`);
		jump(0);
		const settings = { natsUrl: server.url, journal: directory.join("journal"), kernel: "", orchestrator: "batch: { max_events: 50 }" };
		await using agent = new Agent({
			arguments: writeNodeConfig(directory, settings),
			environment: {
				LD_PRELOAD: clockLibrary() ?? "",
				FAKETIME_TIMESTAMP_FILE: clock,
				FAKETIME_NO_CACHE: "1",
				FAKETIME_DONT_FAKE_MONOTONIC: "1",
			},
		});
		await agent.says("Kernel programs are attached.");
		const storm = async (marker: string) => await runExecStorm({ program, count: executions, processes: 2, marker }, () => systemClock.sleep(5));
		await waitUntil("a part of the journal is delivered", async () => (await deliveredUpTo(server, systemd)) > 500);
		jump(-2);
		await storm("back");
		await server.kill();
		await agent.says("events go to the spool");
		await storm("away");
		jump(1);
		await storm("forth");
		await agent.says("wait in the spool");
		await server.start();
		await agent.says("The spool is empty", 60_000);
		await delivered(server, systemd, entries, 60_000);
		const end = await agent.stop();
		expect(end.status).toBe(0);
		expectAccount(end.ledger["systemd"], { received: entries, published: entries, dropped: {}, lost: {}, inFlight: 0 });
		expectAccount(end.ledger["kernel"], { dropped: {}, lost: {}, inFlight: 0 });
		expectSame(numbersOf(await readEvents(server, systemd)), [...Array(entries).keys()]);
		const events = await readEvents(server, kernel);
		expect(events.length).toBe(end.ledger["kernel"]?.published ?? 0);
		const sequences = events.map(({ sequence }) => Number(sequence));
		expectSame(
			sequences,
			Array.from(sequences.keys(), (index) => index + 1),
		);
		const markers = events.map(({ data }) => String(data.attributes?.["process.command_args"]).split(",")[1] ?? "");
		for (const marker of ["back", "away", "forth"]) expect(new Set(markers.filter((word) => word.startsWith(`${marker}-`))).size).toBe(executions);
		// It did jump, there and back again.
		const times = [...agent.log.matchAll(/time=(\S+)/g)].map(([, time = ""]) => Date.parse(time));
		const steps = times.map((time, index) => Math.round((time - (times[index - 1] ?? time)) / 3_600_000));
		expect(steps.filter((hours) => hours !== 0)).toEqual([-2, 3]);
	},
	180_000,
);
