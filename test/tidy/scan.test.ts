import { expect, test } from "bun:test";
import { scan } from "./scan.ts";
import { functionsOf } from "./shape.ts";

test("scan() keeps length and lines", () => {
	const text = 'const a = "x\\"y"; /* b\n */ const c = `d ${e + `f ${g}`} h`; // i\n';
	const { code, uncommented } = scan(text);
	expect(code).toBe('const a = "    "; /*  \n    const c = `  ${e + `  ${g}`}  `;     \n'.replace("/*", "  "));
	expect(uncommented.length).toBe(text.length);
	expect(code.split("\n").length).toBe(text.split("\n").length);
});

test("scan() tells a regular expression from a division", () => {
	const { code } = scan("const a = b / c / d; const e = /['\"`]/g.test(f); return /[/]\\/\"/; x = (y) / 2; // '\n");
	expect(code).toContain("b / c / d;");
	expect(code).toContain("const e = /      /g.test(f);".replace("      ", "     "));
	expect(code).toContain("x = (y) / 2;");
	expect(code).not.toContain("'");
});

test("scan() finds every kind of import, with its line", () => {
	const text = [
		'import a from "./a.ts";',
		'import type { B } from "./b.ts";',
		"import {",
		"\tc,",
		"\ttype D,",
		'} from "./c.ts";',
		'import "./d.ts";',
		'export { e } from "./e.ts";',
		'const f = await import("./f.ts");',
		'const g = new Worker(new URL("./g.ts", import.meta.url));',
		'// import h from "./h.ts";',
		"const i = 'import j from \"./j.ts\"';",
		'import k from "./k.o" with { type: "file" };',
	].join("\n");
	expect(
		scan(text)
			.imports.map(({ kind, specifier, line }) => `${line} ${kind} ${specifier}`)
			.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10)),
	).toEqual([
		"1 static ./a.ts",
		"2 type ./b.ts",
		"3 static ./c.ts",
		"7 static ./d.ts",
		"8 export ./e.ts",
		"9 dynamic ./f.ts",
		"10 url ./g.ts",
		"13 static ./k.o",
	]);
});

test("functionsOf() measures functions, methods and arrows, not blocks", () => {
	const code =
		"function a() {\n}\nclass B {\n\tc(): void {\n\n\t}\n\tget d(): { e: number } {\n\t}\n}\nif (f) {\n\n\n}\nconst g = async (h: I): Promise<J> => {\n\n\n};\n";
	expect(functionsOf(code)).toEqual([
		{ line: 1, length: 2 },
		{ line: 4, length: 3 },
		{ line: 7, length: 2 },
		{ line: 14, length: 4 },
	]);
});
