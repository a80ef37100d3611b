import { expect, test } from "bun:test";
import { manualClock, settle } from "../../test/support/manual-clock.ts";
import { Memory } from "../platform/ffi/memory.ts";
import { controlStop, wordControl } from "../ring/layout.ts";
import { createRing } from "../ring/ring.ts";
import { createLog, type LogEntry } from "../telemetry/log.ts";
import type { HostError } from "./messages.ts";
import { type HostEvents, type Positions, Supervisor } from "./supervisor.ts";

/** A host that a test plays. */
interface PlayedHost {
	readonly positions: Positions;
	/** It says what it is. */
	report(status: "healthy" | "degraded", message: string): void;
	/** It is gone. */
	end(error?: HostError): Promise<void>;
	killed: boolean;
}

function supervised(settled: Positions = {}) {
	const ring = Memory.allocate(8192);
	createRing(ring, [4096]);
	const clock = manualClock();
	const log: LogEntry[] = [];
	const hosts: PlayedHost[] = [];
	const where = { settled, startFails: false, settles: 0 };
	const start = (positions: Positions, events: HostEvents) => {
		if (where.startFails) throw new Error("EAGAIN");
		const { promise: exited, resolve } = Promise.withResolvers<void>();
		const host: PlayedHost = {
			positions,
			killed: false,
			report(status, message) {
				events.onMessage({ type: "report", collectors: { mock: { health: { status, message }, capabilities: 1, statistics: {} } } });
			},
			async end(error) {
				events.onEnded(error);
				resolve();
				await settle();
			},
		};
		hosts.push(host);
		const kill = () => {
			host.killed = true;
			void host.end({ code: "killed", message: "it was killed" });
		};
		return { description: "a host", kill, exited };
	};
	const supervisor = new Supervisor({
		name: "mock",
		collectors: ["mock"],
		ring,
		start,
		settle: async () => {
			where.settles++;
			return where.settled;
		},
		clock,
		random: () => 0.5,
		log: createLog("debug", "test", (entry) => log.push(entry)),
	});
	/** Ends it, and with it a host that does as it is asked. */
	const finish = async () => {
		const stopped = supervisor.stop();
		await hosts.at(-1)?.end();
		await stopped;
	};
	return { supervisor, clock, log, hosts, where, ring, finish };
}

const died: HostError = { code: "child_died", message: "it died" };

test("Supervisor starts a dead host anew where the ring was drained to, after waits that double up to half a minute", async () => {
	const { supervisor, clock, hosts, where, log, finish } = supervised({ mock: "7" });
	supervisor.start({ mock: "1", other: "2" });
	expect(hosts[0]?.positions).toEqual({ mock: "1", other: "2" });
	for (let round = 1; round <= 10; round++) {
		await hosts.at(-1)?.end(died);
		const wait = Math.min(30_000, 200 * 2 ** (round - 1)) * 0.75;
		await clock.advance(wait - 1);
		expect(hosts.length).toBe(round);
		await clock.advance(1);
		expect(hosts.length).toBe(round + 1);
		expect(supervisor.restarts).toBe(round);
	}
	expect(hosts.at(-1)?.positions).toEqual({ mock: "7", other: "2" });
	expect(where.settles).toBe(20);
	expect(log.filter(({ level }) => level === "error").length).toBe(10);
	await finish();
});

test("Supervisor begins with the shortest wait again behind a host that ran for a minute", async () => {
	const { supervisor, clock, hosts, finish } = supervised();
	supervisor.start({});
	for (let round = 0; round < 6; round++) {
		await hosts.at(-1)?.end(died);
		await clock.advance(30_000);
	}
	await clock.advance(60_000);
	await hosts.at(-1)?.end(died);
	await clock.advance(150);
	expect(hosts.length).toBe(8);
	await finish();
});

test("Supervisor says how a collector is: not started, as it says, why it is not there, and for a minute why it came back", async () => {
	const { supervisor, clock, hosts, finish } = supervised();
	expect(supervisor.health("mock")).toEqual({ status: "unknown", message: "not started" });
	supervisor.start({});
	hosts[0]?.report("healthy", "All is well.");
	expect(supervisor.health("mock")).toEqual({ status: "healthy", message: "All is well." });
	await hosts[0]?.end(died);
	expect(supervisor.health("mock")).toEqual({ status: "unhealthy", message: "it died; it is tried again" });
	await clock.advance(200);
	hosts[1]?.report("healthy", "All is well.");
	expect(supervisor.health("mock")).toEqual({ status: "degraded", message: "All is well; restarted after: it died" });
	await clock.advance(60_000);
	expect(supervisor.health("mock").status).toBe("healthy");
	await finish();
});

test("Supervisor.restart() asks the host to end, kills one that does not, and starts it where the lane then stands", async () => {
	const { supervisor, clock, hosts, where, ring, finish } = supervised({ mock: "50" });
	supervisor.start({ mock: "90" });
	where.settled = { mock: "40" };
	supervisor.restart("the stream went back");
	expect(ring.words[wordControl]).toBe(controlStop);
	await clock.advance(3000);
	expect(hosts[0]?.killed).toBe(true);
	await clock.advance(150);
	expect(hosts[1]?.positions).toEqual({ mock: "40" });
	expect(ring.words[wordControl]).not.toBe(controlStop);
	hosts[1]?.report("healthy", "All is well.");
	expect(supervisor.health("mock").message).toContain("the stream went back");
	await finish();
});

test("Supervisor takes a host that cannot be started for one that died", async () => {
	const { supervisor, clock, hosts, where, finish } = supervised();
	where.startFails = true;
	supervisor.start({});
	await settle();
	expect(supervisor.health("mock")).toEqual({ status: "unhealthy", message: "EAGAIN; it is tried again" });
	where.startFails = false;
	await clock.advance(150);
	expect(hosts.length).toBe(1);
	await finish();
});

test("Supervisor.stop() waits for the host, kills it after three seconds, and starts nothing more", async () => {
	const { supervisor, clock, hosts, ring } = supervised();
	supervisor.start({});
	const stopped = supervisor.stop();
	expect(ring.words[wordControl]).toBe(controlStop);
	await clock.advance(2999);
	expect(hosts[0]?.killed).toBe(false);
	await clock.advance(1);
	await stopped;
	expect(hosts[0]?.killed).toBe(true);
	await clock.advance(60_000);
	expect(hosts.length).toBe(1);
	await supervisor.stop();
	supervisor.restart("too late");
	expect(hosts.length).toBe(1);
});

test("Supervisor.stop() during a wait ends the wait", async () => {
	const { supervisor, clock, hosts } = supervised();
	supervisor.start({});
	await hosts[0]?.end(died);
	await supervisor.stop();
	await clock.advance(60_000);
	expect(hosts.length).toBe(1);
	expect(clock.sleepers()).toBe(0);
});
