import { expect, test } from "bun:test";
import { type HealthStatus, isHealthy, worstStatus } from "./health.ts";

test("isHealthy() is true for what does its work, be it with less than asked", () => {
	const states: readonly HealthStatus[] = ["healthy", "degraded", "unhealthy", "unknown"];
	expect(states.map((status) => isHealthy({ status, message: "" }))).toEqual([true, true, false, false]);
});

test("worstStatus() orders healthy, unknown, degraded, unhealthy", () => {
	expect(worstStatus([])).toBe("healthy");
	expect(worstStatus(["healthy", "unknown"])).toBe("unknown");
	expect(worstStatus(["degraded", "unknown", "healthy"])).toBe("degraded");
	expect(worstStatus(["degraded", "unhealthy", "unknown"])).toBe("unhealthy");
});
