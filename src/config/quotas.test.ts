import { expect, test } from "bun:test";
import { configRequest } from "../../test/support/config.ts";
import { bytes, KiB, MiB } from "../base/units.ts";
import { loadYamlConfig } from "./load.ts";
import { ringQuotas } from "./quotas.ts";

const quotasOf = (set: Record<string, string>) => ringQuotas(loadYamlConfig(configRequest({ set })).config);

test("ringQuotas() gives each collector its buffer_size while all of them fit", () => {
	const { quotas, wanted, limit } = quotasOf({ "orchestrator.buffer_size": "2000", "collectors.kernel.config.buffer_size": "3000" });
	expect([...quotas]).toEqual([
		["systemd", bytes(2000 * KiB)],
		["kernel", bytes(3000 * KiB)],
	]);
	expect(wanted).toBe(bytes(5000 * KiB));
	expect(limit).toBe(bytes(25 * MiB));
});

test("ringQuotas() shrinks all in proportion to a quarter of the memory", () => {
	const { quotas, limit } = quotasOf({ "orchestrator.buffer_size": "10000", "collectors.kernel.config.buffer_size": "90000" });
	const total = [...quotas.values()].reduce((sum, quota) => sum + quota, 0);
	expect(total).toBeLessThanOrEqual(limit);
	expect(total).toBeGreaterThan(limit - 2);
	expect(quotas.get("kernel")).toBe(bytes(Math.floor(0.9 * limit)));
});

test("ringQuotas() leaves out what does not run", () => {
	expect([...quotasOf({ "collectors.kernel.enabled": "false" }).quotas.keys()]).toEqual(["systemd"]);
});
