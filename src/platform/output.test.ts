import { expect, test } from "bun:test";
import { wantsColors } from "./output.ts";

test("wantsColors() follows NO_COLOR before FORCE_COLOR before the terminal", () => {
	expect(wantsColors(true, {})).toBe(true);
	expect(wantsColors(false, {})).toBe(false);
	expect(wantsColors(true, { NO_COLOR: "1", FORCE_COLOR: "1" })).toBe(false);
	expect(wantsColors(true, { NO_COLOR: "" })).toBe(true);
	expect(wantsColors(false, { FORCE_COLOR: "1" })).toBe(true);
	expect(wantsColors(true, { FORCE_COLOR: "0" })).toBe(false);
	expect(wantsColors(true, { TERM: "dumb" })).toBe(false);
	expect(wantsColors(false, { TERM: "dumb", FORCE_COLOR: "3" })).toBe(true);
});
