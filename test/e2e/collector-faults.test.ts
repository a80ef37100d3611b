import { expect, test } from "bun:test";
import { imbalance } from "../../src/telemetry/ledger.ts";
import { expectAccount } from "../support/expect-account.ts";
import { type MockHouse, type MockRoom, mockHouse } from "../support/mock-room.ts";
import { waitUntil } from "../support/wait-until.ts";

const limit = 60_000;

function upTo(count: number): number[] {
	return Array.from({ length: count }, (_, index) => index + 1);
}

/** A neighbour that gives its records little by little while another collector fails. */
const steady: MockRoom = { name: "steady", host: "worker", script: { steps: [{ emit: 3000, perPoll: 5 }] } };

async function restarted(house: MockHouse, name: string, times: number): Promise<void> {
	await waitUntil(`${name} was started ${times} times again`, () => (house.supervisors.get(name)?.restarts ?? 0) >= times, 20_000);
}

async function expectWell(house: MockHouse): Promise<void> {
	await waitUntil("the neighbour has delivered all of its own", () => house.numbers("steady").length === 3000, 20_000);
	expect(house.numbers("steady")).toEqual(upTo(3000));
	expect(house.supervisors.get("steady")?.restarts).toBe(0);
	expect(house.supervisors.get("steady")?.health("steady").status).toBe("healthy");
	const report = await house.stop();
	for (const account of Object.values(report.ledger)) expect(imbalance(account)).toBe(0);
}

for (const host of ["worker", "child"] as const) {
	test(
		`a collector in a ${host} that cannot start is tried again and again, says why, and takes nobody along`,
		async () => {
			await using house = await mockHouse([steady, { name: "broken", host, script: { startFails: true } }]);
			await restarted(house, "broken", 3);
			const health = house.supervisors.get("broken")?.health("broken");
			expect(health).toEqual({ status: "unhealthy", message: "Start mock: the script says no (change the script); it is tried again" });
			const waits = house.log.filter(({ message }) => message.startsWith("A collector host ended")).map(({ fields }) => Number(fields["waitMs"]));
			// Doubling, the upper half by chance: 100 to 200, 200 to 400, 400 to 800.
			expect(waits[0]).toBeWithin(100, 201);
			expect(waits[1]).toBeWithin(200, 401);
			expect(waits[2]).toBeWithin(400, 801);
			await expectWell(house);
		},
		limit,
	);

	test(
		`a collector in a ${host} that throws delivers what it gave before, and once only`,
		async () => {
			const script = { steps: [{ emit: 700, perPoll: 100 }, { fault: "throw" as const }] };
			await using house = await mockHouse([steady, { name: "thrower", host, script }]);
			await restarted(house, "thrower", 2);
			await waitUntil("its records are delivered", () => house.numbers("thrower").length >= 700);
			expect(house.supervisors.get("thrower")?.health("thrower").message).toContain("Poll mock: the script says no");
			await expectWell(house);
			expect(house.numbers("thrower")).toEqual(upTo(700));
			expect(house.report().ledger["thrower"]).toMatchObject({ received: 700, published: 700, inFlight: 0 });
		},
		limit,
	);

	test(
		`a collector in a ${host} that hangs is ended, and started again behind the last record drained`,
		async () => {
			const script = { steps: [{ emit: 500, perPoll: 50 }, { fault: "hang" as const }] };
			await using house = await mockHouse([steady, { name: "hanger", host, script }], 500);
			await restarted(house, "hanger", 2);
			expect(house.log.some(({ message }) => message === "A collector host stands still; it is ended and starts again.")).toBe(true);
			await expectWell(house);
			expect(house.numbers("hanger")).toEqual(upTo(500));
		},
		limit,
	);
}

test(
	"a collector whose process dies comes back behind its last record, and of a live one the loss is counted",
	async () => {
		const script = { steps: [{ emit: 300, perPoll: 30 }, { fault: "die" as const }] };
		await using house = await mockHouse([steady, { name: "mortal", host: "child", script }, { name: "live-mortal", host: "child", script }]);
		await restarted(house, "mortal", 2);
		await restarted(house, "live-mortal", 2);
		expect(house.supervisors.get("mortal")?.health("mortal").message).toContain("the child process ended with signal SIGKILL");
		await expectWell(house);
		expect(house.numbers("mortal")).toEqual(upTo(300));
		const account = house.report().ledger["live-mortal"];
		const died = account?.dropped["collector_died"] ?? 0;
		expect(account?.received).toBe((account?.published ?? 0) + died + (account?.dropped["not_delivered"] ?? 0));
	},
	limit,
);

test(
	"a replayable source waits while the sink is away, a live one drops its newest and counts it",
	async () => {
		const patient: MockRoom = { name: "patient", host: "child", script: { steps: [{ emit: 4000, size: 200, perPoll: 100 }] }, quota: 65_536 };
		const flood: MockRoom = { name: "live-flood", host: "worker", script: { steps: [{ idle: 20 }, { flood: 5000, size: 200 }] }, quota: 65_536 };
		await using house = await mockHouse([steady, patient, flood]);
		house.sink.hold();
		await waitUntil("the ring is full", () => (house.report().ledger["patient"]?.inFlight ?? 0) > 300);
		await waitUntil("the flood is over", () => (house.report().ledger["live-flood"]?.received ?? 0) === 5000);
		const dropped = house.report().ledger["live-flood"]?.dropped["ring_full"] ?? 0;
		expect(dropped).toBeGreaterThan(0);
		expect(house.report().ledger["patient"]?.dropped).toEqual({});
		house.sink.release();
		await waitUntil("everything is delivered", () => house.numbers("patient").length === 4000, 20_000);
		expect(house.numbers("patient")).toEqual(upTo(4000));
		await waitUntil("what found room is delivered", () => house.numbers("live-flood").length === 5000 - dropped);
		expect(house.numbers("live-flood")).toEqual(upTo(5000 - dropped));
		await expectWell(house);
	},
	limit,
);

test(
	"everything stops in order while the sink is away: in time, and with a balanced account",
	async () => {
		const script = { steps: [{ emit: 2000, size: 200, perPoll: 100 }] };
		await using house = await mockHouse([steady, { name: "patient", host: "child", script, quota: 65_536 }]);
		house.sink.hold();
		await waitUntil("something is on its way", () => (house.report().ledger["patient"]?.inFlight ?? 0) > 100);
		const began = performance.now();
		const report = await house.stop();
		expect(performance.now() - began).toBeLessThan(6000);
		for (const account of Object.values(report.ledger)) expect(imbalance(account)).toBe(0);
		expectAccount(report.ledger["patient"], { published: 0, dropped: {} });
	},
	limit,
);
