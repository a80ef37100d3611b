import { expect, test } from "bun:test";
import { depthMax, parseYamlSource, valuesMax } from "./yaml-source.ts";

/** The one problem of a text, with its place. */
function problemOf(text: string): string {
	const { problems } = parseYamlSource(text, "f.yaml");
	expect(problems).toHaveLength(1);
	const [problem] = problems;
	if (problem?.origin.kind !== "file") return "";
	return `${problem.origin.line}:${problem.origin.column} ${problem.key} ${problem.message}`;
}

test("parseYamlSource() keeps the place of every key and value", () => {
	const { root, problems } = parseYamlSource("a:\n  b: [1, x]\n", "f.yaml");
	expect(problems).toEqual([]);
	const a = root.entries.get("a");
	expect(a?.origin).toEqual({ kind: "file", path: "f.yaml", line: 1, column: 1, length: 1 });
	const list = a?.value.kind === "section" ? a.value.entries.get("b")?.value : undefined;
	expect(list?.kind === "list" ? list.items.map((item) => item.origin) : []).toEqual([
		{ kind: "file", path: "f.yaml", line: 2, column: 7, length: 1 },
		{ kind: "file", path: "f.yaml", line: 2, column: 10, length: 1 },
	]);
});

test("parseYamlSource() names both places of a duplicate key", () => {
	expect(problemOf("a:\n  b: 1\n  b: 2\n")).toBe("3:3 a.b is written twice, first in line 2");
});

test("parseYamlSource() says what is wrong with the syntax, and where", () => {
	expect(problemOf("a:\n\tb: 1")).toBe("2:1  not valid YAML: a tab is used for indentation, YAML allows only spaces");
	expect(problemOf("a: b: c")).toBe("1:4  not valid YAML: a colon and a blank stand inside a value: put quotes around the value");
	expect(problemOf("a: [1, 2")).toBe("1:9  not valid YAML: a [ or { is not closed, or closed with too little indentation");
	expect(problemOf("a: 'x")).toStartWith("1:6  not valid YAML: a character is missing");
	expect(problemOf("a: 1\n---\nb: 2")).toBe("2:1  not valid YAML: the file holds several YAML documents, only one is read");
	expect(problemOf("a: !tag b")).toBe("1:4  not valid YAML: tags such as !name are not understood here");
	expect(problemOf("? [a]\n: b")).toBe("1:3  has a key that is not a plain word");
});

test("parseYamlSource() refuses a file that holds no sections", () => {
	for (const text of ["", "# only a comment\n", "---\n", "null"]) expect(problemOf(text)).toBe("0:0  the file is empty");
	expect(problemOf("- a\n- b")).toBe("1:1  the file holds a list where sections are expected");
	expect(problemOf("hello")).toBe("1:1  the file holds a single value where sections are expected");
});

test("parseYamlSource() suggests quotes for a variable inside of { }", () => {
	const { problems } = parseYamlSource(`nats: { url: \${NATS_URL:-nats://localhost:4222}, subject: x }`, "f.yaml");
	expect(problems[0]?.message).toBe(`not valid YAML: \${NATS_URL:-nats://localhost:4222} stands here without quotes`);
	expect(problems[0]?.hint).toBe(`write "\${NATS_URL:-nats://localhost:4222}"`);
	expect(problems[0]?.origin).toMatchObject({ line: 1, column: 14 });
});

test("parseYamlSource() follows aliases, but not for ever", () => {
	const { root, problems } = parseYamlSource("a: &x { b: 1 }\nc: *x\n", "f.yaml");
	expect(problems).toEqual([]);
	expect(root.entries.get("c")?.value.kind).toBe("section");
	expect(problemOf("a: *nothing")).toBe('1:4 a refers to an anchor "nothing" that is not defined above');
	expect(problemOf("a: &x [*x]")).toBe(`1:7 a is nested deeper than ${depthMax} levels`);
	const bomb = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
	for (let level = 1; level < 9; level++)
		bomb.push(
			`a${level}: &a${level} [${Array(10)
				.fill(`*a${level - 1}`)
				.join(", ")}]`,
		);
	expect(problemOf(bomb.join("\n"))).toContain(`repeats aliases to more than ${valuesMax} values`);
});

test("parseYamlSource() survives a text of brackets only", () => {
	expect(problemOf("[".repeat(100_000))).toContain("nested too deeply");
	expect(problemOf("{a: ".repeat(50_000))).toContain("nested too deeply");
});
