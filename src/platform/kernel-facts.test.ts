import { expect, test } from "bun:test";
import { parseCgroupHierarchy, parseEffectiveCapabilities, parseLockdown } from "./kernel-facts.ts";

test("parseEffectiveCapabilities() reads the bits of CapEff", () => {
	expect([...(parseEffectiveCapabilities("Name:\tx\nCapPrm:\tffff\nCapEff:\t000000c000200001\n") ?? [])]).toEqual([0, 21, 38, 39]);
	expect(parseEffectiveCapabilities("CapEff:\t0000000000000000\n")?.size).toBe(0);
	expect(parseEffectiveCapabilities("Name: x")).toBeUndefined();
});

test("parseLockdown() reads the mode in brackets", () => {
	expect(parseLockdown("none [integrity] confidentiality\n")).toBe("integrity");
	expect(parseLockdown("none integrity [confidentiality]\n")).toBe("confidentiality");
	expect(parseLockdown("")).toBe("unknown");
});

test("parseCgroupHierarchy() finds the hierarchy that tells containers apart", () => {
	expect(parseCgroupHierarchy("0::/user.slice\n")).toBe("unified");
	expect(parseCgroupHierarchy("9:name=systemd:/\n8:pids:/\n4:memory:/x\n0::/\n")).toBe("memory");
	expect(parseCgroupHierarchy("8:cpu,pids:/\n1:cpuacct:/\n0::/\n")).toBe("pids");
	expect(parseCgroupHierarchy("1:name=systemd:/\n0::/\n")).toBe("unified");
	expect(parseCgroupHierarchy("")).toBe("unified");
});
