import { expect, test } from "bun:test";
import { Losses } from "./losses.ts";

test("Losses reports each loss once, and what could not be reported with the next", () => {
	const losses = new Losses();
	expect(losses.unreported()).toBeUndefined();
	losses.note(1, 5);
	losses.note(3, 0);
	// Found no room: not reported.
	expect(losses.unreported()?.[1]).toBe(5);
	losses.note(1, 7);
	losses.note(3, 2);
	const counts = losses.unreported();
	expect([counts?.[1], counts?.[3], losses.total]).toEqual([7, 2, 9]);
	losses.report(counts ?? []);
	expect(losses.unreported()).toBeUndefined();
	losses.note(3, 3);
	expect(losses.unreported()?.[3]).toBe(1);
});
