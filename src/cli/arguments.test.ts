import { expect, test } from "bun:test";
import fc from "fast-check";
import { OperatingError } from "../base/errors.ts";
import { parseArguments } from "./arguments.ts";
import { commands, findCommand } from "./commands.ts";

function parse(name: string, ...words: string[]) {
	const command = findCommand(name);
	if (command === undefined) throw new Error(`There is no command ${name}`);
	const { flags, operands } = parseArguments(command, words);
	return { flags: Object.fromEntries(flags), operands: [...operands] };
}

/** The message and the hint of a refusal. */
function refusal(name: string, ...words: string[]): string {
	try {
		parse(name, ...words);
	} catch (error) {
		if (error instanceof OperatingError) return `${error.code}: ${error.message} (${error.hint})`;
		throw error;
	}
	return "accepted";
}

test("parseArguments() takes values behind the flag, behind = and behind the short form", () => {
	expect(parse("run", "--config", "a.yaml").flags).toEqual({ "--config": ["a.yaml"] });
	expect(parse("run", "--config=a=b.yaml").flags).toEqual({ "--config": ["a=b.yaml"] });
	expect(parse("run", "-c", "-").flags).toEqual({ "--config": ["-"] });
	expect(parse("run", "--set", "a=1", "--set", "b=2").flags).toEqual({ "--set": ["a=1", "b=2"] });
	expect(parse("config", "--print", "--json").flags).toEqual({ "--print": [""], "--json": [""] });
	expect(parse("validate", "--", "--odd.yaml")).toEqual({ flags: {}, operands: ["--odd.yaml"] });
});

test("parseArguments() names what it does not understand", () => {
	expect(refusal("run", "--confg", "x")).toBe("usage: unknown flag --confg; did you mean --config? (see tapio-agent help)");
	expect(refusal("validate", "--zzzzzz")).toBe("usage: unknown flag --zzzzzz (see tapio-agent help validate)");
	expect(refusal("run", "--config")).toBe("usage: --config needs a value: --config FILE (see tapio-agent help)");
	expect(refusal("run", "--config", "a", "--config", "b")).toBe("usage: --config is given twice (see tapio-agent help)");
	expect(refusal("config", "--json=yes")).toBe("usage: --json takes no value (see tapio-agent help config)");
	expect(refusal("run", "-c", "a", "validate")).toBe(
		'usage: unexpected argument "validate"; a command comes before its flags (see tapio-agent help)',
	);
});

test("parseArguments() leads from the flags of old to the keys of now", () => {
	expect(refusal("run", "--workers", "8")).toBe("usage: --workers is no longer a flag (use --set orchestrator.workers=NUMBER)");
	expect(refusal("run", "--kubelet-address=x")).toContain("KUBELET_ADDRESS");
	for (const flag of ["--enable-kernel", "--enable-kubelet", "--enable-dns", "--buffer-size"])
		expect(refusal("run", flag)).toContain("no longer a flag");
});

test("parseArguments() refuses any nonsense with a usage error", () => {
	const words = fc.array(
		fc.oneof(fc.string({ maxLength: 10 }), fc.constantFrom("--config", "-c", "--set", "--", "-", "--json", "--__proto__", "--constructor")),
		{ maxLength: 6 },
	);
	fc.assert(
		fc.property(fc.constantFrom(...commands), words, (command, list) => {
			try {
				parseArguments(command, list);
			} catch (error) {
				if (!(error instanceof OperatingError) || error.code !== "usage") throw error;
			}
		}),
	);
});
