import { dirname, join } from "node:path/posix";
import { type Check, isTest, type SourceFile } from "./check.ts";
import { floorOf, floors, islands, roomOf, roomsOfStrangers } from "./floors.ts";
import type { ImportReference } from "./scan.ts";

/** An import that stays within the project. */
interface Edge extends ImportReference {
	readonly from: string;
	/** Path of the imported file. */
	readonly to: string;
}

function edgesOf(file: SourceFile): Edge[] {
	return file.scan.imports
		.filter(({ specifier }) => specifier.startsWith("."))
		.map((reference) => ({ ...reference, from: file.path, to: join(dirname(file.path), reference.specifier) }));
}

/** The folder of a stranger: `src/sinks/nats` for a file below it, undefined for what lies directly in the room. */
function strangerOf(path: string): string | undefined {
	const room = roomsOfStrangers.find((candidate) => path.startsWith(`${candidate}/`));
	if (room === undefined) return undefined;
	const [folder, rest] = path.slice(room.length + 1).split("/", 2);
	return rest === undefined ? undefined : `${room}/${folder}`;
}

function upward({ from, to }: Edge): string | undefined {
	const insideSource = to.startsWith("src/");
	if (!insideSource) {
		if (isTest(from) && to.startsWith("test/")) return undefined;
		return /^(?:test|scripts)\//.test(to) ? `production code does not import ${to}` : undefined;
	}
	if (floorOf(to) === -1) return `${roomOf(to)} has no floor: add it to test/tidy/floors.ts`;
	return floorOf(to) > floorOf(from) ? `${roomOf(from)} is on floor ${floorOf(from)}, ${roomOf(to)} above it on ${floorOf(to)}` : undefined;
}

/** Every cycle found from some node, as paths in order. */
function cycles(graph: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
	const found: string[][] = [];
	const finished = new Set<string>();
	const path: string[] = [];
	const visit = (node: string) => {
		const at = path.indexOf(node);
		if (at !== -1) found.push([...path.slice(at), node]);
		if (at !== -1 || finished.has(node)) return;
		path.push(node);
		for (const next of graph.get(node) ?? []) visit(next);
		path.pop();
		finished.add(node);
	};
	for (const node of graph.keys()) visit(node);
	return found;
}

function graphOf(edges: readonly Edge[], name: (path: string) => string): Map<string, Set<string>> {
	const graph = new Map<string, Set<string>>();
	for (const { from, to, kind } of edges) {
		if (kind === "url" || (name !== identity && name(from) === name(to))) continue;
		const targets = graph.get(name(from)) ?? new Set();
		graph.set(name(from), targets.add(name(to)));
	}
	return graph;
}

const identity = (path: string) => path;

/** Who may import whom. */
export const importChecks: readonly Check[] = [
	{
		name: "Imports point downward",
		breaches: [
			{ "src/base/a.ts": 'import { b } from "../event/b.ts";' },
			{ "src/ring/a.ts": 'import type { B } from "../collectors/b.ts";' },
			{ "src/ring/a.ts": 'const b = await import("../cli/b.ts");' },
			{ "src/ring/a.ts": 'const b = new Worker(new URL("../orchestrator/b.ts", import.meta.url));' },
			{ "src/ring/a.ts": 'import {\n\tb,\n\tc,\n} from "../control/b.ts";' },
			{ "src/ring/a.ts": 'import "../main.ts";' },
			{ "src/ring/a.ts": 'export type { B } from "../sinks/b.ts";' },
			{ "src/ring/a.ts": 'import { b } from "../../test/support/b.ts";' },
			{ "src/attic/a.ts": "export const a = 1;" },
		],
		kept: {
			"src/ring/a.ts":
				'import { b } from "../base/b.ts";\nimport { c } from "./c.ts"; // import { d } from "../cli/d.ts";\nconst text = \'import { d } from "../cli/d.ts"\';',
			"src/ring/a.test.ts": 'import { b } from "../../test/support/b.ts";',
			"src/main.ts": 'import { run } from "./cli/run.ts";',
		},
		inspect({ sources }) {
			const files = sources.filter(({ path }) => path.startsWith("src/"));
			const edges = files.flatMap(edgesOf);
			const homeless = files
				.filter(({ path }) => floorOf(path) === -1)
				.map(({ path }) => `${path}: its room has no floor: add it to test/tidy/floors.ts`);
			const findings = edges.flatMap((edge) => {
				const reason = upward(edge);
				return reason === undefined ? [] : [`${edge.from}:${edge.line}: imports ${edge.specifier}: ${reason}`];
			});
			return { looked: edges.length + homeless.length, findings: [...homeless, ...findings] };
		},
	},
	{
		name: "Imports form no cycle",
		breaches: [
			{ "src/ring/a.ts": 'import { b } from "./b.ts";', "src/ring/b.ts": 'import type { A } from "./a.ts";' },
			{ "src/ring/a.ts": 'import { a } from "./a.ts";' },
			{ "src/event/a.ts": 'import { b } from "../platform/b.ts";', "src/platform/c.ts": 'import { d } from "../event/d.ts";' },
		],
		kept: {
			"src/ring/a.ts": 'import { b } from "./b.ts";\nimport { c } from "./c.ts";',
			"src/ring/b.ts": 'import { c } from "./c.ts";',
			"src/ring/c.ts": "export const c = 1;",
		},
		inspect({ sources }) {
			const edges = sources.flatMap(edgesOf);
			const production = edges.filter(({ from, to }) => from.startsWith("src/") && !isTest(from) && to.startsWith("src/"));
			const found = [...cycles(graphOf(edges, identity)), ...cycles(graphOf(production, roomOf))];
			return { looked: edges.length, findings: found.map((cycle) => cycle.join(" → ")) };
		},
	},
	{
		name: "Collectors, and sinks, never import each other",
		breaches: [
			{ "src/collectors/kernel/a.ts": 'import { b } from "../systemd/b.ts";' },
			{ "src/sinks/nats/a.ts": 'import type { B } from "../stdout/b.ts";' },
			{ "src/collectors/kernel/a.test.ts": 'const b = await import("../systemd/b.ts");' },
			{ "src/collectors/kernel/a.ts": 'import { registry } from "../registry.ts";' },
		],
		kept: {
			"src/collectors/kernel/a.ts": 'import { b } from "./b.ts";\nimport type { Collector } from "../collector.ts";',
			"src/collectors/registry.ts": 'import { a } from "./kernel/a.ts";',
		},
		inspect({ sources }) {
			const edges = sources.flatMap(edgesOf).filter(({ from }) => strangerOf(from) !== undefined);
			const findings = edges
				.filter(({ from, to }) => {
					const target = strangerOf(to);
					return (target !== undefined && target !== strangerOf(from)) || (/\/registry\.ts$/.test(to) && !isTest(from));
				})
				.map(
					({ from, line, specifier }) => `${from}:${line}: imports ${specifier}: it lives in another folder; move what both need to a lower floor`,
				);
			return { looked: edges.length, findings };
		},
	},
	{
		name: "Modules with an island stay on it",
		breaches: [
			{ "src/ring/a.ts": 'import { ptr } from "bun:ffi";' },
			{ "test/e2e/a.ts": 'import type { Pointer } from "bun:ffi";' },
			{ "src/lane/a.ts": 'import { connect } from "@nats-io/transport-node";' },
			{ "src/cli/a.ts": 'const yaml = await import("yaml");' },
		],
		kept: { "src/platform/ffi/a.ts": 'import { ptr } from "bun:ffi";', "src/ring/a.ts": 'import { join } from "node:path"; // "bun:ffi"' },
		inspect({ sources }) {
			const references = sources.flatMap((file) => file.scan.imports.map((reference) => ({ path: file.path, ...reference })));
			const findings = references.flatMap(({ path, line, specifier }) => {
				const island = islands.find(({ module }) => (module.endsWith("/") ? specifier.startsWith(module) : specifier === module));
				if (island === undefined || island.places.some((place) => path.startsWith(place))) return [];
				return [`${path}:${line}: imports ${specifier}: ${island.instead}`];
			});
			return { looked: references.length, findings };
		},
	},
	{
		name: "Imports name the file with its ending",
		breaches: [
			{ "src/ring/a.ts": 'import { b } from "./b";' },
			{ "src/ring/a.ts": 'import { b } from "./b.js";' },
			{ "src/ring/a.ts": 'import fs from "fs";' },
		],
		kept: { "src/ring/a.ts": 'import { b } from "./b.ts";\nimport { readFileSync } from "node:fs";\nimport version from "../../package.json";' },
		inspect({ sources }) {
			const references = sources.flatMap((file) => file.scan.imports.map((reference) => ({ path: file.path, ...reference })));
			const bare =
				/^(?:fs|path|os|util|net|tls|http|https|http2|stream|events|crypto|child_process|worker_threads|zlib|tty|url|buffer|process)(?:\/|$)/;
			const findings = references
				.filter(({ specifier }) => (specifier.startsWith(".") ? !/\.(?:ts|json|o|html|so(?:\.\d+)*)$/.test(specifier) : bare.test(specifier)))
				.map(({ path, line, specifier }) => `${path}:${line}: imports ${specifier}: write the ending .ts, or node: before a module of Node`);
			return { looked: references.length, findings };
		},
	},
];

if (floors.flat().length !== new Set(floors.flat()).size) throw new Error("A room stands on two floors");
