import { expect } from "bun:test";
import type { LedgerAccount } from "../../src/telemetry/ledger.ts";

/** Expects every figure that is named, reasons to the last one: toMatchObject would take any reasons for none. */
export function expectAccount(account: LedgerAccount | undefined, expected: Partial<LedgerAccount>): void {
	const named = Object.entries(account ?? {}).filter(([key]) => key in expected);
	expect(Object.fromEntries(named)).toEqual(expected);
}
