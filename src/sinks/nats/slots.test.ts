import { expect, test } from "bun:test";
import { Slots } from "./slots.ts";

const never = new AbortController().signal;

test("Slots.take() lets in as many as there are places, then whoever waited longest", async () => {
	const slots = new Slots(2);
	const order: number[] = [];
	const first = await slots.take(never);
	const second = await slots.take(never);
	const third = slots.take(never).then((slot) => order.push(3) && slot);
	const fourth = slots.take(never).then((slot) => order.push(4) && slot);
	expect(order).toEqual([]);
	first[Symbol.dispose]();
	first[Symbol.dispose]();
	const held = await third;
	expect(order).toEqual([3]);
	second[Symbol.dispose]();
	await fourth;
	expect(order).toEqual([3, 4]);
	if (typeof held === "object") held[Symbol.dispose]();
	await slots.take(never);
});

test("Slots.take() rejects whoever gives up waiting, and passes the place on", async () => {
	const slots = new Slots(1);
	const held = await slots.take(never);
	const impatient = new AbortController();
	const waiting = slots.take(impatient.signal);
	const next = slots.take(never);
	impatient.abort(new Error("enough"));
	expect(waiting).rejects.toThrow("enough");
	expect(slots.take(impatient.signal)).rejects.toThrow("enough");
	held[Symbol.dispose]();
	await next;
});
