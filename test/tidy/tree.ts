import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Project, type ProjectFile, projectOf } from "./check.ts";

/** The folder of the project. */
export const projectRoot = join(import.meta.dir, "../..");

/** What a checkout holds beside source: never looked at. */
const ignored = /^(?:node_modules|dist|build|\.git|\.tapio)(?:\/|$)|\/node_modules\//;
/** Bytes of a file beyond which it is data, not text that people wrote. */
const fileBytesMax = 1 << 20;

/** Reads the project as it lies on the disk, committed or not, so that a check says today what it would say tomorrow. */
export function readProject(): Project {
	const paths = [...new Bun.Glob("**/*").scanSync({ cwd: projectRoot, dot: true, onlyFiles: true })].filter((path) => !ignored.test(path)).sort();
	return projectOf(paths.map(readOne));
}

function readOne(path: string): ProjectFile {
	const absolute = join(projectRoot, path);
	const binary = path.includes("/fixtures/") || Bun.file(absolute).size > fileBytesMax;
	return { path, text: binary ? "" : readFileSync(absolute, "utf8") };
}
