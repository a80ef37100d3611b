import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { BootClock } from "./boot-clock.ts";

test("BootClock leads from time since boot to real time", () => {
	const clock = new BootClock();
	clock.now();
	const boot = clock.nowHigh * 2 ** 32 + clock.nowLow;
	// /proc/uptime counts the same clock in hundredths.
	expect(Math.abs(boot / 1e9 - Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]))).toBeLessThan(5);
	expect(Math.abs(boot / 1e9 + clock.offsetSeconds + clock.offsetNanoseconds / 1e9 - Date.now() / 1000)).toBeLessThan(5);
	expect(clock.offsetNanoseconds).toBeGreaterThanOrEqual(0);
	expect(clock.offsetNanoseconds).toBeLessThan(1e9);
});

test("BootClock gives the same difference until somebody sets the clock", () => {
	const clock = new BootClock();
	const first = [clock.offsetSeconds, clock.offsetNanoseconds];
	for (let sample = 0; sample < 200; sample++) {
		clock.sample();
		expect([clock.offsetSeconds, clock.offsetNanoseconds]).toEqual(first);
	}
});
