import { expect, test } from "bun:test";
import { imbalance, type LedgerAccount, sumReasons } from "./ledger.ts";

const account: LedgerAccount = {
	received: 100,
	derived: 2,
	published: 80,
	dropped: { ring_full: 10, too_large: 1 },
	discarded: { own_unit: 5 },
	inFlight: 6,
	lost: { vacuumed: 1000 },
	truncated: 3,
};

test("imbalance() is 0 where every event is accounted for, whatever was never received", () => {
	expect(imbalance(account)).toBe(0);
	expect(imbalance({ ...account, lost: {}, truncated: 0 })).toBe(0);
});

test("imbalance() is positive where events vanished and negative where some came from nowhere", () => {
	expect(imbalance({ ...account, published: 79 })).toBe(1);
	expect(imbalance({ ...account, dropped: {} })).toBe(11);
	expect(imbalance({ ...account, received: 90 })).toBe(-10);
});

test("sumReasons() adds what there is", () => {
	expect(sumReasons({})).toBe(0);
	expect(sumReasons({ a: 1, b: 2 })).toBe(3);
});
