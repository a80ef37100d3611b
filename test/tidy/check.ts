import { lineAt, type Scan, scan } from "./scan.ts";

/** A file of the project, or of a sample. */
export interface ProjectFile {
	/** Relative to the project, with slashes. */
	readonly path: string;
	readonly text: string;
}

/** A TypeScript file, taken apart. */
export interface SourceFile extends ProjectFile {
	readonly scan: Scan;
}

/** Everything that the checks look at. */
export interface Project {
	readonly files: readonly ProjectFile[];
	/** The files in TypeScript that people write. */
	readonly sources: readonly SourceFile[];
}

/** What a check has to say. `looked` is the number of things it examined: a check that examined nothing fails. */
export interface Outcome {
	readonly looked: number;
	readonly findings: readonly string[];
}

/** Paths with their texts, as a small project. */
export type Sample = Readonly<Record<string, string>>;

/** One rule of the house, with projects that break it and one that keeps it, so that the check itself is checked. */
export interface Check {
	readonly name: string;
	inspect(project: Project): Outcome;
	readonly breaches: readonly Sample[];
	readonly kept: Sample;
}

/** A project from its files. */
export function projectOf(files: readonly ProjectFile[]): Project {
	const sources = files.filter(({ path }) => /\.ts$/.test(path) && !/\.gen\.ts$/.test(path));
	return { files, sources: sources.map((file) => ({ ...file, scan: scan(file.text) })) };
}

/** A project from a sample. */
export function projectOfSample(sample: Sample): Project {
	return projectOf(Object.entries(sample).map(([path, text]) => ({ path, text })));
}

/** True for tests, which may hold clocks and consoles in their hands. */
export function isTest(path: string): boolean {
	return path.startsWith("test/") || path.endsWith(".test.ts");
}

/** A rule about what may stand in one file: every match of `pattern` in the chosen view of the text is a finding. */
export function forbid(rule: {
	readonly name: string;
	readonly pattern: RegExp;
	/** code: without comments and insides of strings (the default); body: without import clauses as well; uncommented: with strings. */
	readonly view?: "code" | "body" | "uncommented";
	readonly where: (path: string) => boolean;
	/** A match whose text, comments included, matches this is none. */
	readonly excuse?: RegExp;
	readonly instead: string;
	readonly breaches: readonly Sample[];
	readonly kept: Sample;
}): Check {
	const { name, pattern, view = "code", where, excuse, instead, breaches, kept } = rule;
	return {
		name,
		breaches,
		kept,
		inspect(project) {
			const examined = project.sources.filter(({ path }) => where(path));
			const findings = examined.flatMap((file) =>
				[...file.scan[view].matchAll(pattern)].flatMap(({ index, 0: found }) => {
					if (excuse?.test(file.text.slice(index, index + found.length))) return [];
					const shown = found.trim().replace(/\s+/g, " ");
					return [`${file.path}:${lineAt(file.text, index + found.search(/\S/))}: \`${shown}\`: ${instead}`];
				}),
			);
			return { looked: examined.length, findings };
		},
	};
}
