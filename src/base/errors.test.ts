import { expect, test } from "bun:test";
import { describeError, OperatingError } from "./errors.ts";

test("OperatingError keeps code, cause, hint and facts apart", () => {
	const cause = new Error("ENOENT");
	const error = new OperatingError("bpf_load", "Load exec.bpf.o", { cause, hint: "run as root", errno: 1, path: "/x" });
	expect(error.name).toBe("OperatingError");
	expect(error.code).toBe("bpf_load");
	expect(error.message).toBe("Load exec.bpf.o");
	expect(error.cause).toBe(cause);
	expect(error.hint).toBe("run as root");
	expect(error.facts).toEqual({ errno: 1, path: "/x" });
});

test("OperatingError without context has neither cause nor facts", () => {
	const error = new OperatingError("config_syntax", "Read node.yaml");
	expect("cause" in error).toBe(false);
	expect(error.hint).toBeUndefined();
	expect(error.facts).toEqual({});
});

test("describeError() joins the causes and ends with the first hint", () => {
	const inner = new OperatingError("errno", "Permission denied (13)", { hint: "add the user to group systemd-journal" });
	const outer = new OperatingError("journal_open", "Open the journal", { cause: inner });
	expect(describeError(outer)).toBe("Open the journal: Permission denied (13) (add the user to group systemd-journal)");
	const louder = new OperatingError("start", "Start systemd", { cause: outer, hint: "see the documentation" });
	expect(describeError(louder)).toEndWith("(see the documentation)");
});

test("describeError() takes whatever was thrown", () => {
	expect(describeError("text")).toBe("text");
	expect(describeError(undefined)).toBe("");
	expect(describeError(new Error("a", { cause: 7 }))).toBe("a: 7");
});

test("describeError() ends where causes form a circle", () => {
	const error = new Error("round");
	error.cause = error;
	expect(describeError(error)).toBe(Array.from({ length: 8 }, () => "round").join(": "));
});
