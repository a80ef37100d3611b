import { expect } from "bun:test";
import { appendFileSync, existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { jetstreamManager } from "@nats-io/jetstream";
import { systemClock } from "../../src/platform/clock.ts";
import { NatsServer, type ReadMessage } from "../support/nats-server.ts";
import { upTo } from "../support/nats-sink.ts";
import { testNeeding } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const limitMs = 120_000;
/** Events of the last writer, which is left alone. */
const lastEvents = 2000;
const rounds = 24;
const program = join(import.meta.dir, "..", "support", "nats-writer.ts");

/** A small generator: the same seed gives the same faults. */
function seeded(seed: number): () => number {
	let state = seed >>> 0;
	return () => {
		state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
		return state / 2 ** 32;
	};
}

function sequencesOf(messages: readonly ReadMessage[]): number[] {
	return messages.flatMap(({ body }) => JSON.parse(new TextDecoder().decode(body)).map(({ sequence }: { sequence: number }) => sequence));
}

testNeeding(
	"nats",
	"A writer that is killed again and again, with its server and its state, leaves each event in the stream once and in order",
	async () => {
		const random = seeded(11);
		await using server = await NatsServer.start();
		using folder = temporaryDirectory("writer");
		const state = folder.join("state");
		{
			await using client = await server.client();
			// A window of 100 ms, made by somebody else: nothing may lean on it.
			await (await jetstreamManager(client)).streams.add({ name: "TAPIO", subjects: ["tapio.events.>"], duplicate_window: 100_000_000 });
		}
		const start = (last: number) => Bun.spawn([process.execPath, program, server.url, state, String(last)], { stdout: "pipe", stderr: "pipe" });
		for (let round = 0; round < rounds; round++) {
			const writer = start(1e9);
			await systemClock.sleep(100 + random() * 200);
			const kind = Math.floor(random() * 5);
			if (kind === 0) server.signal("SIGSTOP");
			if (kind === 1) await server.kill();
			writer.kill("SIGKILL");
			await writer.exited;
			if (kind === 0) server.signal("SIGCONT");
			if (kind === 1) await server.start();
			const file = join(state, "lanes", "systemd.lane");
			if (kind === 2 && existsSync(file)) appendFileSync(file, '12345678 ["m",7');
			if (kind === 3) await systemClock.sleep(150);
			// What the dead writer's socket held has arrived before a new lane looks where it stands.
			if (kind === 4) {
				await systemClock.sleep(100);
				rmSync(state, { recursive: true, force: true });
			}
		}
		const before = sequencesOf(await server.read("TAPIO"));
		expect(before).toEqual(upTo(before.length));
		// The kills fell into the work, not before it.
		expect(before.length).toBeGreaterThan(100);
		const writer = start(before.length + lastEvents);
		const said = await new Response(writer.stdout).text();
		expect(said + (await new Response(writer.stderr).text())).toContain("done");
		const messages = await server.read("TAPIO");
		expect(sequencesOf(messages)).toEqual(upTo(before.length + lastEvents));
		const ids = new Set(messages.map(({ headers }) => headers.get("Nats-Msg-Id")));
		expect(ids.size).toBe(messages.length);
	},
	limitMs,
);
