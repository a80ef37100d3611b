import { basename } from "node:path/posix";
import { type Check, isTest, type Sample } from "./check.ts";
import { lineAt } from "./scan.ts";

/** Lines of a file that a reader is asked to forgive; beyond it a warning. */
export const fileLinesWarn = 300;
/** Lines of a file at most. */
export const fileLinesMax = 500;
/** Lines of a function at most: a screen. */
export const functionLinesMax = 70;
/** Columns of a line at most, for what the formatter does not break. */
const lineColumnsMax = 240;

const lines = (count: number) => "const a = 1;\n".repeat(count);
const collector = "src/collectors/pipe";
const collectorFiles = ["collector.ts", "config.ts", "parse.ts", "parse.test.ts", "fixtures/one.txt", "README.md"];
const without = (name: string): Sample =>
	Object.fromEntries(collectorFiles.filter((file) => file !== name).map((file) => [`${collector}/${file}`, ""]));

/** Names and sizes of files, and what belongs together in a folder. */
export const shapeChecks: readonly Check[] = [
	{
		name: `Files stop at ${fileLinesMax} lines`,
		breaches: [{ "src/ring/a.ts": lines(fileLinesMax + 1) }, { "test/e2e/a.ts": lines(fileLinesMax + 1) }],
		kept: { "src/ring/a.ts": lines(fileLinesMax), "src/ring/a.gen.ts": lines(fileLinesMax + 1) },
		inspect({ sources }) {
			const long = sources.filter(({ text }) => lineCount(text) > fileLinesMax);
			return { looked: sources.length, findings: long.map(({ path, text }) => `${path}: ${lineCount(text)} lines: split it by what it does`) };
		},
	},
	{
		name: `Functions fit a screen of ${functionLinesMax} lines`,
		breaches: [
			{ "src/ring/a.ts": `function f(): { a: number } {\n${lines(functionLinesMax)}}` },
			{ "src/ring/a.ts": `class A {\n\tasync run<T>(x: T): Promise<Map<string, T>> {\n${lines(functionLinesMax)}\t}\n}` },
			{ "scripts/a.ts": `const f = (x: number) => {\n${lines(functionLinesMax)}};` },
			{ "src/ring/a.ts": `class A {\n\tget x(): number {\n${lines(functionLinesMax)}\t}\n}` },
		],
		kept: {
			"src/ring/a.ts": `function f() {\n${lines(functionLinesMax - 2)}}\nclass A {\n${lines(functionLinesMax)}}\nif (a) {\n${lines(functionLinesMax)}}\nconst o = {\n${lines(90)}};`,
		},
		inspect({ sources }) {
			const bodies = sources
				.filter(({ path }) => !isTest(path))
				.flatMap((file) => functionsOf(file.scan.code).map((found) => ({ ...found, path: file.path })));
			const long = bodies.filter(({ length }) => length > functionLinesMax);
			return { looked: bodies.length, findings: long.map(({ path, line, length }) => `${path}:${line}: a function of ${length} lines: split it`) };
		},
	},
	{
		name: `Lines stop at ${lineColumnsMax} columns`,
		breaches: [{ "src/ring/a.ts": `// ${"word ".repeat(60)}` }],
		kept: { "src/ring/a.ts": `// ${"word ".repeat(20)}\n\t"${"word ".repeat(60)}",` },
		inspect({ sources }) {
			const examined = sources.filter(({ path }) => !isTest(path));
			const findings = examined.flatMap(({ path, text, scan: { code } }) => {
				const blanked = code.split("\n");
				// A text of its own on a line is as long as it has to be.
				const isText = (index: number) => /^\s*["'`]\s*["'`],?$/.test(blanked[index] ?? "");
				return text
					.split("\n")
					.flatMap((line, index) => (line.length > lineColumnsMax && !isText(index) ? [`${path}:${index + 1}: ${line.length} columns`] : []));
			});
			return { looked: examined.length, findings };
		},
	},
	{
		name: "Files and folders are named in kebab-case",
		breaches: [
			{ "src/ring/ringReader.ts": "" },
			{ "src/Ring/a.ts": "" },
			{ "test/support/temp_dir.ts": "" },
			{ "src/ring/index.ts": "" },
			{ "src/ring/utils.ts": "" },
		],
		kept: {
			"src/ring/ring-reader.ts": "",
			"src/ring/ring-reader.test.ts": "",
			"src/collectors/systemd/README.md": "",
			"src/event/fixtures/Any_Name.txt": "",
			"src/a/b.gen.ts": "",
		},
		inspect({ files }) {
			const paths = files.map(({ path }) => path).filter((path) => /^(?:src|test|scripts)\//.test(path) && !path.includes("/fixtures/"));
			const kebab = /^\.?[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z0-9]+(?:-[a-z0-9]+)*)*$/;
			const findings = paths.flatMap((path) => {
				if (/^(?:index|utils?|helpers?|common|misc|types)\.ts$/.test(basename(path))) return [`${path}: name the file for what it exports`];
				const odd = path.split("/").find((part) => part !== "README.md" && part !== "LICENSE" && !kebab.test(part));
				return odd === undefined ? [] : [`${path}: ${odd} is not kebab-case`];
			});
			return { looked: paths.length, findings };
		},
	},
	{
		name: "A collector is a folder of one shape",
		breaches: collectorFiles.map(without),
		kept: without(""),
		inspect({ files }) {
			const folders = new Map<string, Set<string>>();
			for (const { path } of files) {
				const match = /^(src\/collectors\/[^/]+)\/(.+)$/.exec(path);
				if (match?.[1] === undefined || match[2] === undefined) continue;
				folders.set(match[1], (folders.get(match[1]) ?? new Set()).add(match[2]));
			}
			const findings = [...folders].flatMap(([folder, names]) => missingIn([...names]).map((missing) => `${folder}: has no ${missing}`));
			return { looked: folders.size, findings };
		},
	},
	{
		name: "What is exported says what it is",
		breaches: [
			{ "src/ring/a.ts": "export function f() {}" },
			{ "src/ring/a.ts": "/** The x. */\nexport const x = 1;\n\nexport class A {}" },
			{ "src/ring/a.ts": "// A comment.\nexport interface B {}" },
		],
		kept: {
			"src/ring/a.ts":
				"/** Does it. */\nexport function f() {}\n/** A.\n * Much. */\nexport const a = 1;\nexport const b = 2;\nexport const c = 3;\n/** T. */\nexport type T = 1;",
		},
		inspect({ sources }) {
			const examined = sources.filter(({ path }) => path.startsWith("src/") && !isTest(path));
			let looked = 0;
			const findings = examined.flatMap((file) => {
				const text = file.text.split("\n");
				return text.flatMap((line, index) => {
					if (!/^export (?:async )?(?:abstract )?(?:function|class|interface|type|const)\b/.test(line)) return [];
					looked++;
					return isDocumented(text, index) ? [] : [`${file.path}:${index + 1}: \`${line.slice(0, 60)}\` has no docstring`];
				});
			});
			return { looked, findings };
		},
	},
];

/** Lines of a text, without the empty one behind a last newline. */
export function lineCount(text: string): number {
	return text.split("\n").length - (text.endsWith("\n") ? 1 : 0);
}

/** True where a docstring ends above; constants right below a documented one share its docstring. */
function isDocumented(text: readonly string[], index: number): boolean {
	let above = index - 1;
	while (/^\/\/ biome-ignore|^@/.test(text[above] ?? "")) above--;
	if (/\*\/\s*$/.test(text[above] ?? "")) return true;
	const constant = /^export (?:const|type) .*;(?:\s*\/\/.*)?$/;
	// A one-line type or constant may stand in a row under one docstring, or under a comment that heads the row.
	if (!constant.test(text[index] ?? "")) return false;
	return /^\/\//.test(text[above] ?? "") || (constant.test(text[above] ?? "") && isDocumented(text, above));
}

function missingIn(names: readonly string[]): string[] {
	const wanted: readonly (readonly [string, (name: string) => boolean])[] = [
		["collector.ts", (name) => name === "collector.ts"],
		["config.ts", (name) => name === "config.ts"],
		["parse.ts, decoder.ts or encoder.ts", (name) => /^(?:parse|decoder|encoder)\.ts$/.test(name)],
		["test (*.test.ts)", (name) => name.endsWith(".test.ts")],
		["fixtures/", (name) => name.startsWith("fixtures/")],
		["README.md", (name) => name === "README.md"],
	];
	return wanted.filter(([, isIt]) => !names.some(isIt)).map(([what]) => what);
}

const notFunctions = new Set(["if", "for", "while", "switch", "catch", "with", "await"]);

/** The functions with a block in blanked code: where they begin, and how many lines they take. */
export function functionsOf(code: string): { line: number; length: number }[] {
	const found: { line: number; length: number }[] = [];
	const opened: { at: number; word: string }[] = [];
	for (let at = 0; at < code.length; at++) {
		const character = code[at];
		if (character === "(") opened.push({ at, word: /([\w$]+)\s*(?:<[^()]*>)?\s*$/.exec(code.slice(Math.max(0, at - 120), at))?.[1] ?? "" });
		if (character !== ")" && !(character === "=" && code[at + 1] === ">")) continue;
		const start = character === ")" ? opened.pop() : { at, word: "" };
		if (start === undefined || (character === ")" && notFunctions.has(start.word))) continue;
		const open = character === ")" ? blockAfterParameters(code, at + 1) : /^\s*\{/.test(code.slice(at + 2)) ? code.indexOf("{", at) : -1;
		if (open === -1) continue;
		const line = lineAt(code, start.at);
		found.push({ line, length: lineAt(code, closing(code, open)) - line + 1 });
	}
	return found;
}

/** Index of the brace that opens the body behind a parameter list, past a return type; -1 where there is none. */
function blockAfterParameters(code: string, from: number): number {
	let at = from + (/^\s*/.exec(code.slice(from, from + 200))?.[0].length ?? 0);
	if (code[at] === "{") return at;
	if (code[at] !== ":") return -1;
	// In a return type a brace belongs to the type behind one of these, and opens the body behind anything else.
	let last = ":";
	for (at++; at < code.length; at++) {
		const character = code[at] ?? "";
		if (/\s/.test(character)) continue;
		if (character === "{" && !":|&<,(?".includes(last)) return at;
		if (";=)".includes(character) || (character === "}" && last !== "{")) return -1;
		if ("{([".includes(character)) at = closing(code, at);
		last = code[at] ?? "";
	}
	return -1;
}

/** Index of the bracket that closes the one at `open`. */
function closing(code: string, open: number): number {
	let depth = 0;
	for (let at = open; at < code.length; at++) {
		if ("{([".includes(code[at] ?? " ")) depth++;
		if ("})]".includes(code[at] ?? " ") && --depth === 0) return at;
	}
	return code.length - 1;
}
