import { type Check, forbid, isTest, type Sample } from "./check.ts";
import { lineAt } from "./scan.ts";

const everywhere = () => true;
const production = (path: string) => path.startsWith("src/") && !isTest(path);
/** Clock, environment and console belong to platform and cli; main.ts is the door of cli. */
const outsideWorld = (path: string) => production(path) && !/^src\/(platform\/|cli\/|main\.ts$)/.test(path);
const mayCast = /^src\/(base\/units\.ts$|config\/schema\.ts$|platform\/ffi\/)/;

/** What may not stand in a file, and what to write instead. */
export const wordChecks: readonly Check[] = [
	forbid({
		name: "The clock is read in platform and cli alone",
		pattern:
			/\bDate\.now\b|\bnew Date\(\s*\)|(?<![\w.$]|new )Date\(|\bperformance\.(?:now|timeOrigin|mark|measure)\b|\bBun\.nanoseconds\b|\bprocess\.hrtime\b|\bprocess\.uptime\b/g,
		where: outsideWorld,
		instead: "take a Clock as an argument",
		breaches: [
			{ "src/ring/a.ts": "const now = Date.now();" },
			{ "src/ring/a.ts": "const at = new Date( );" },
			{ "src/sinks/a.ts": "const now = performance.now();" },
			{ "src/sinks/a.ts": "const text = `at ${Date.now()}`;" },
		],
		kept: {
			"src/ring/a.ts": 'const day = new Date(1000); // Date.now()\nconst text = "Date.now()";',
			"src/platform/clock.ts": "const now = Date.now();",
			"src/ring/a.test.ts": "const now = Date.now();",
		},
	}),
	forbid({
		name: "Timers run in platform and cli alone",
		pattern: /(?<![\w.$])set(?:Timeout|Interval)\s*\(|\bBun\.sleep(?:Sync)?\b|\bAbortSignal\.timeout\b|\bAtomics\.wait\s*\(/g,
		where: outsideWorld,
		instead: "take a Clock as an argument and await its sleep",
		breaches: [
			{ "src/ring/a.ts": "setTimeout(() => {}, 10);" },
			{ "src/ring/a.ts": "await Bun.sleep(10);" },
			{ "src/sinks/a.ts": "const timer = setInterval(tick, 10);" },
		],
		kept: { "src/platform/clock.ts": "setTimeout(() => {}, 10);", "src/ring/a.ts": "clock.sleep(10); clearTimeout(timer);" },
	}),
	forbid({
		name: "Nothing is not matched by anything",
		pattern: /\.toMatchObject\([^;\n]*: \{\}/g,
		where: everywhere,
		instead: "use toEqual, or expectAccount for an account: toMatchObject takes whatever stands there for {}",
		breaches: [{ "test/e2e/a.test.ts": "expect(account).toMatchObject({ published: 1, dropped: {} });" }],
		kept: { "test/e2e/a.test.ts": "expect(account.dropped).toEqual({});" },
	}),
	forbid({
		name: "Chance comes in as an argument",
		pattern: /\bMath\.random\b/g,
		where: (path) => path.startsWith("src/") && !/^src\/(?:platform|cli)\//.test(path),
		instead: "take a generator from base, or bytes from platform, so that a run can be repeated",
		breaches: [{ "src/lane/a.ts": "const id = Math.random();" }, { "src/lane/a.test.ts": "const id = Math.random();" }],
		kept: { "src/lane/a.ts": "const id = random.next();" },
	}),
	forbid({
		name: "The environment is read in platform and cli alone",
		pattern: /\bprocess\.(?:env|argv|exit|exitCode|cwd|chdir)\b|\bBun\.(?:env|argv)\b|\bimport\.meta\.env\b|\{[^{}]*\benv\b[^{}]*\}\s*=\s*process\b/g,
		where: outsideWorld,
		instead: "take what you need as an argument",
		breaches: [
			{ "src/config/a.ts": "const url = process.env.NATS_URL;" },
			{ "src/config/a.ts": "const { env } = process;" },
			{ "src/config/a.ts": "const url = Bun.env.NATS_URL;" },
			{ "src/orchestrator/a.ts": "process.exit(1);" },
		],
		kept: { "src/cli/a.ts": "const url = process.env.NATS_URL;", "src/config/a.ts": "const { env } = options; const pid = process.pid;" },
	}),
	forbid({
		name: "The console is written in platform and cli alone",
		pattern: /(?<![\w.$])console\s*\.|\bprocess\.(?:stdout|stderr|stdin)\b|\bBun\.(?:stdout|stderr|stdin)\b|(?<![\w.$])(?:alert|prompt)\s*\(/g,
		where: outsideWorld,
		instead: "use the Log you were given",
		breaches: [{ "src/dataflow/a.ts": "console.log(1);" }, { "src/dataflow/a.ts": "process.stdout.write(text);" }],
		kept: { "src/cli/a.ts": "console.log(1);", "src/dataflow/a.ts": 'log.info("Look at the console.log of it.");' },
	}),
	forbid({
		name: "Casts stay in units, schema and ffi",
		pattern: /(?<![\w.$])as\s+(?!const\b)[\w{[("'`(]|(?:[=(,:?[]|\breturn)\s*<[\w.[\]| ]+>\s*[A-Za-z_$"'[{]/g,
		view: "body",
		where: (path) => !mayCast.test(path),
		instead: "narrow with a check, or give the function a better type",
		breaches: [
			{ "src/ring/a.ts": "const x = y as number;" },
			{ "src/ring/a.test.ts": "const x = y as unknown as Lease;" },
			{ "test/contract/a.ts": "call({ a: 1 } as Thing);" },
			{ "src/ring/a.ts": "const x = <Lease>y;" },
		],
		kept: {
			"src/ring/a.ts":
				'import * as fs from "node:fs";\nimport { a as b } from "./b.ts";\nexport { c as d };\nconst e = [1] as const; // as good as it gets\nconst f = x.as; const g = <T>(y: T) => y; const h = "as it is";',
			"src/base/units.ts": "return value as Bytes;",
			"src/platform/ffi/memory.ts": "return value as Pointer;",
		},
	}),
	forbid({
		name: "Nothing is of type any",
		pattern: /(?<![\w.$"'])any\b(?!\s*[(?:=.]|["'])/g,
		where: everywhere,
		instead: "use unknown and narrow it",
		breaches: [
			{ "src/ring/a.ts": "function f(x: any) {}" },
			{ "src/ring/a.ts": "const x: Map<string, any> = y;" },
			{ "test/e2e/a.ts": "let x: any[];" },
		],
		kept: { "src/ring/a.ts": "Promise.any(all); any(x); // any of them" },
	}),
	forbid({
		name: "No non-null assertions",
		pattern: /[\w$)\]]!(?=[.[(),;:}\]\s])(?!\s*=)/g,
		where: everywhere,
		instead: "assert it, or handle undefined",
		breaches: [{ "src/ring/a.ts": "a!.b();" }, { "src/ring/a.ts": "const x = map.get(key)!;" }, { "src/ring/a.ts": "class A { name!: string }" }],
		kept: { "src/ring/a.ts": 'if (!a || a !== b || !c(d)) throw e; const f = a != b; const t = "stop!";' },
	}),
	forbid({
		name: "No enums and no namespaces",
		pattern: /\benum\s+\w+\s*\{|\bnamespace\s+[\w.]+\s*\{|\bdeclare\s+(?:module|global)\b/g,
		where: everywhere,
		instead: "use a constant object or a union of strings",
		breaches: [{ "src/ring/a.ts": "export enum Color { red }" }, { "src/ring/a.ts": "const enum E { a }" }, { "src/ring/a.ts": "namespace A { }" }],
		kept: { "src/ring/a.ts": "const enumerate = 1; const namespace = 2;" },
	}),
	forbid({
		name: "No barrels and no default exports",
		pattern: /\bexport\s*\*|\bexport\s+default\b|\bexport\s+(?:type\s+)?\{[^}]*\}\s*from\b/g,
		where: everywhere,
		instead: "export by name, where the thing is made",
		breaches: [
			{ "src/ring/a.ts": 'export * from "./b.ts";' },
			{ "src/ring/a.ts": "export default 1;" },
			{ "src/ring/a.ts": 'export { b } from "./b.ts";' },
		],
		kept: { "src/ring/a.ts": "const a = 1;\nexport { a };" },
	}),
	forbid({
		name: "No private by convention",
		pattern: /\bthis\._\w+|\bprivate\s+(?!constructor\b)(?:readonly\s+)?\w+\s*[:=(]/g,
		where: production,
		instead: "use #private",
		breaches: [{ "src/ring/a.ts": "this._x = 1;" }, { "src/ring/a.ts": "class A { private x = 1 }" }],
		kept: { "src/ring/a.ts": "class A { #x = 1; private constructor() {} }" },
	}),
	forbid({
		name: "No catch is empty",
		pattern: /\bcatch\s*(?:\([^)]*\)\s*)?\{\s*\}|\.catch\(\s*\(\s*\w*\s*\)\s*=>\s*\{\s*\}\s*\)/g,
		where: production,
		excuse: /\/\/ \w|\/\* \w/,
		instead: "rethrow with context, or count it and say why going on is right",
		breaches: [
			{ "src/ring/a.ts": "try { f(); } catch {}" },
			{ "src/ring/a.ts": "try { f(); } catch (error) { }" },
			{ "src/ring/a.ts": "f().catch(() => {});" },
		],
		kept: {
			"src/ring/a.ts": "try { f(); } catch (cause) { throw g(cause); }\ntry { f(); } catch {\n\t// It is gone already, which is what was wanted.\n}",
		},
	}),
	forbid({
		name: "Tests wait for a condition, never for a time",
		pattern: /\bBun\.sleep(?:Sync)?\s*\((?!0\))|(?<![\w.$])setTimeout\s*\(/g,
		where: (path) => isTest(path) && !path.startsWith("test/support/") && !path.startsWith("test/bench/"),
		instead: "use waitUntil of test/support",
		breaches: [{ "src/ring/a.test.ts": "await Bun.sleep(100);" }, { "test/e2e/a.test.ts": "await new Promise((done) => setTimeout(done, 50));" }],
		kept: { "src/ring/a.test.ts": "await waitUntil(() => done); await Bun.sleep(0);" },
	}),
	forbid({
		name: "No test is skipped by hand, and none runs alone",
		pattern: /\b(?:test|it|describe)\.(?:skip|only|todo|skipIf|todoIf|if)\b/g,
		where: (path) => isTest(path) && path !== "test/support/requires.ts",
		instead: "use testNeeding of test/support/requires.ts",
		breaches: [{ "src/ring/a.test.ts": 'test.skip("a", () => {});' }, { "src/ring/a.test.ts": 'describe.only("a", () => {});' }],
		kept: { "src/ring/a.test.ts": 'test("a", () => {});', "test/support/requires.ts": "test.skip(name);" },
	}),
	commentRule({
		name: "Nothing is postponed or silenced in a comment",
		// Put together, so that this file keeps its own rule.
		pattern: new RegExp(`\\b(?:TO${"DO"}|FIX${"ME"}|XX${"X"}|HA${"CK"})\\b|@ts-(?:ignore|expect-error|nocheck)`, "g"),
		instead: "do it now",
		breaches: [
			{ "src/ring/a.ts": `// ${"TO"}${"DO"}: later` },
			{ "src/ring/a.ts": `// ${"@ts-"}${"ignore"}\nx();` },
			{ "src/ring/a.ts": `// ${"@ts-"}${"expect-error"}\nx();` },
		],
		kept: { "src/ring/a.ts": "// What is to do is done.\nconst toDo = 1;" },
	}),
	commentRule({
		name: "Comments carry no history and no numbers of tickets",
		pattern: /(?<![\w/])#\d{2,}\b|\b(?:issue|ticket|pull request|PR) #?\d+/gi,
		instead: "that belongs into the commit; a link to another project's source or report names the project",
		breaches: [{ "src/ring/a.ts": "// See #123." }, { "src/ring/a.ts": "/** As of ticket 7. */" }, { "src/ring/a.ts": "// Fixed in PR #9" }],
		kept: { "src/ring/a.ts": '// systemd#24320 truncates archives; RFC 8259, section 2.\nconst color = "#123456"; class A { #x = 12; }' },
	}),
];

/** A rule about what may stand in a comment. */
function commentRule(rule: {
	readonly name: string;
	readonly pattern: RegExp;
	readonly instead: string;
	readonly breaches: readonly Sample[];
	readonly kept: Sample;
}): Check {
	const { name, pattern, instead, breaches, kept } = rule;
	return {
		name,
		breaches,
		kept,
		inspect(project) {
			const findings = project.sources.flatMap((file) =>
				[...file.text.matchAll(pattern)]
					// What is blank without comments, and was not, stood in one.
					.filter(({ index }) => file.scan.uncommented[index] === " ")
					.map(({ index, 0: found }) => `${file.path}:${lineAt(file.text, index)}: \`${found}\`: ${instead}`),
			);
			return { looked: project.sources.length, findings };
		},
	};
}
