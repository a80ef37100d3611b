import { expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { temporaryDirectory } from "../../test/support/temporary-directory.ts";
import { OperatingError } from "../base/errors.ts";
import { currentSurroundings, readFileUpTo } from "./environment.ts";

function codeOf(path: string): string {
	try {
		readFileUpTo(path, 10);
	} catch (error) {
		if (error instanceof OperatingError) return error.code;
		throw error;
	}
	return "read";
}

test("readFileUpTo() reads a file, and one byte more than allowed of a longer one", () => {
	using directory = temporaryDirectory("read");
	writeFileSync(directory.join("ten"), "0123456789");
	writeFileSync(directory.join("eleven"), "0123456789a");
	writeFileSync(directory.join("more"), "0123456789abcdef");
	writeFileSync(directory.join("empty"), "");
	expect(new TextDecoder().decode(readFileUpTo(directory.join("ten"), 10))).toBe("0123456789");
	expect(readFileUpTo(directory.join("eleven"), 10)?.length).toBe(11);
	expect(readFileUpTo(directory.join("more"), 10)?.length).toBe(11);
	expect(readFileUpTo(directory.join("empty"), 10)?.length).toBe(0);
	expect(readFileUpTo("/dev/zero", 10)?.length).toBe(11);
});

test("readFileUpTo() tells what is absent from what cannot be read", () => {
	using directory = temporaryDirectory("read");
	mkdirSync(directory.join("folder"));
	writeFileSync(directory.join("file"), "");
	expect(readFileUpTo(directory.join("absent"), 10)).toBeUndefined();
	expect(readFileUpTo(directory.join("file", "below"), 10)).toBeUndefined();
	expect(codeOf(directory.join("folder"))).toBe("file_directory");
	expect(codeOf("/proc/self/mem")).toBe("file_read");
});

test("currentSurroundings() names this machine and this process", () => {
	const { hostName, platform, runtime, variables } = currentSurroundings();
	expect(hostName).not.toBe("");
	expect(platform).toBe(`${process.platform}-${process.arch}`);
	expect(runtime).toBe(`bun ${Bun.version}`);
	expect(variables["PATH"]).toBe(process.env["PATH"]);
});
