import { expect, test } from "bun:test";
import type { OrchestratorReport } from "../orchestrator/orchestrator.ts";
import type { LedgerAccount } from "../telemetry/ledger.ts";
import { summaryJson, summaryText } from "./summary.ts";

const quiet: LedgerAccount = { received: 0, derived: 0, published: 0, dropped: {}, discarded: {}, lost: {}, inFlight: 0, truncated: 0 };
const report: OrchestratorReport = {
	health: { kernel: { status: "healthy", message: "Reports process exec." } },
	ledger: {
		systemd: { ...quiet, received: 1234, published: 1200, inFlight: 34 },
		kernel: { ...quiet, received: 90, derived: 2, published: 80, dropped: { ring_full: 7, odd: 0 }, discarded: { own: 5 }, lost: { kernel_ring: 9 } },
	},
	standings: {},
	statistics: {},
	restarts: { systemd: 1, kernel: 0 },
};

test("summaryText() is a table with aligned columns, and a line for each reason", () => {
	expect(summaryText(report, 10)).toBe(`In 10.0 s:
collector  received  published  dropped  discarded  in flight  events/s
systemd        1234       1200        0          0         34       120
kernel           92         80        7          5          0       8.0
kernel: 7 dropped: ring_full, its ring was full, because the sink was away or too slow
kernel: 5 discarded: own
kernel: 9 lost at the source: kernel_ring
`);
});

test("summaryText() divides by no time", () => {
	expect(summaryText({ ...report, ledger: { kernel: quiet } }, 0)).toBe(`In 0.0 s:
collector  received  published  dropped  discarded  in flight  events/s
kernel            0          0        0          0          0       0.0
`);
});

test("summaryJson() is one line that scripts read", () => {
	const text = summaryJson(report, 2.5);
	expect(text).toEndWith("}\n");
	expect(text.split("\n").length).toBe(2);
	expect(JSON.parse(text)).toEqual({ seconds: 2.5, ledger: report.ledger, health: report.health, restarts: report.restarts });
});
