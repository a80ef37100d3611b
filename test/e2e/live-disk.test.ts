import { expect } from "bun:test";
import { systemClock } from "../../src/platform/clock.ts";
import { Agent } from "../support/agent.ts";
import { delivered, expectSame, readEvents } from "../support/cloud-events.ts";
import { compileExecStorm, runExecStorm } from "../support/exec-storm.ts";
import { expectAccount } from "../support/expect-account.ts";
import { NatsServer } from "../support/nats-server.ts";
import { writeNodeConfig } from "../support/node-config.ts";
import { testNeeding } from "../support/requires.ts";
import { SmallDisk } from "../support/small-disk.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait-until.ts";

const limit = 120_000;
const kernel = "tapio.events.test.kernel";

testNeeding(
	["root", "kernel", "nats", "clang"],
	"agent whose disk is full while its server is away keeps events in its rings, uses the disk again when it has room, and delivers all in order",
	async () => {
		await using server = await NatsServer.start();
		using directory = temporaryDirectory();
		using disk = new SmallDisk(directory.join("state"), 16 << 20);
		const program = await compileExecStorm(directory.path);
		let executed = 0;
		const storm = (count: number) => {
			executed += count;
			return runExecStorm({ program, count, processes: 2, marker: "full" }, () => systemClock.sleep(5));
		};
		await using agent = new Agent({ arguments: writeNodeConfig(directory, { natsUrl: server.url, kernel: "" }) });
		await agent.says("Kernel programs are attached.");
		await storm(20);
		await delivered(server, kernel, 60);
		await server.kill();
		await storm(100);
		await agent.says("events go to the spool", limit / 4);
		disk.fill();
		await waitUntil(
			"the disk refuses",
			async () => {
				await storm(500);
				return agent.log.includes("Append to the spool of the lane kernel");
			},
			limit / 4,
		);
		await storm(2000);
		disk.empty();
		await agent.says("wait in the spool", limit / 4);
		await storm(100);
		await server.start();
		await agent.says("The spool is empty", limit / 4);
		await storm(20);
		const end = await agent.stop();
		expectAccount(end.ledger["kernel"], { dropped: {}, lost: {}, inFlight: 0 });
		const events = await readEvents(server, kernel);
		const { published = 0 } = end.ledger["kernel"] ?? {};
		expectSame(
			events.map(({ sequence }) => Number(sequence)),
			Array.from({ length: published }, (_, index) => index + 1),
		);
		const executions = events.filter(({ data }) => String(data.attributes?.["process.command_args"]).includes(",full-"));
		expect(executions.length).toBe(executed);
	},
	limit,
);
