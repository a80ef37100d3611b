import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { OperatingError } from "../../src/base/errors.ts";
import { inRoot } from "./root.ts";
import { run, say } from "./shell.ts";
import { debianArchitecture, type Target } from "./targets.ts";

/** Where packages of other architectures are unpacked, with an apt of their own: the machine's dpkg never hears of them. */
const aptFolder = inRoot("build/apt");

/** A folder that looks like the root of a system with some packages of one architecture. */
export interface PackageRoot {
	readonly folder: string;
	/** "libbpf1 1:1.1.2-0+deb12u1" for each package. */
	readonly sources: readonly string[];
}

/**
 * The packages of the target's architecture. Those of the machine itself are used where they are installed; all others are fetched by apt, which
 * checks their signatures, into a private folder. Throws OperatingError "build_packages" where apt is missing or refuses.
 */
export async function packageRoot(target: Target, packages: readonly string[]): Promise<PackageRoot> {
	const { packages: architecture } = debianArchitecture[target.arch];
	if (target.arch === process.arch) {
		const installed = await installedVersions(packages);
		if (installed !== undefined) return { folder: "/", sources: installed };
	}
	const folder = join(aptFolder, architecture, "root");
	const missing = packages.filter((name) => !existsSync(marker(architecture, name)));
	if (missing.length > 0) await fetchPackages(architecture, missing, folder);
	const versions = await Promise.all(packages.map(async (name) => `${name} ${(await Bun.file(marker(architecture, name)).text()).trim()}`));
	return { folder, sources: versions };
}

/** Fetches and unpacks source packages, their signatures checked by apt. Returns the folder that holds one folder per source. */
export async function sourcePackages(names: readonly string[]): Promise<{ readonly folder: string; readonly sources: readonly string[] }> {
	const folder = join(aptFolder, "source");
	const done = join(folder, "sources.txt");
	if (existsSync(done)) return { folder, sources: (await Bun.file(done).text()).trim().split("\n") };
	rmSync(folder, { recursive: true, force: true });
	mkdirSync(folder, { recursive: true });
	const options = await privateApt(debianArchitecture[process.arch === "arm64" ? "arm64" : "x64"].packages, "deb-src");
	say(`  fetching the sources of ${names.join(", ")}`);
	await run(["apt-get", ...options, "--download-only", "source", ...names], { cwd: folder });
	const sources: string[] = [];
	for (const file of readdirSync(folder).filter((name) => name.endsWith(".dsc"))) {
		const text = await Bun.file(join(folder, file)).text();
		const name = /^Source: (\S+)$/m.exec(text)?.[1] ?? file;
		sources.push(`${name} ${/^Version: (\S+)$/m.exec(text)?.[1] ?? "?"}`);
		await run(["dpkg-source", "--no-check", "-x", file, name], { cwd: folder });
	}
	writeFileSync(done, sources.join("\n"));
	return { folder, sources };
}

function marker(architecture: string, name: string): string {
	return join(aptFolder, architecture, `${name}.version`);
}

async function installedVersions(packages: readonly string[]): Promise<string[] | undefined> {
	try {
		// biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders.
		const output = await run(["dpkg-query", "-W", "-f=${Package} ${Version} ${db:Status-Status}\\n", ...packages]);
		const lines = output.trim().split("\n");
		if (lines.some((line) => !line.endsWith(" installed"))) return undefined;
		return lines.map((line) => line.slice(0, -" installed".length));
	} catch {
		// Not a Debian, or one of them is not installed: both mean that they are to be fetched.
		return undefined;
	}
}

async function fetchPackages(architecture: string, names: readonly string[], folder: string): Promise<void> {
	const archives = join(aptFolder, architecture, "archives");
	mkdirSync(folder, { recursive: true });
	mkdirSync(archives, { recursive: true });
	const options = await privateApt(architecture, "deb");
	say(`  fetching ${names.join(", ")} for ${architecture}`);
	await run(["apt-get", ...options, "download", ...names], { cwd: archives });
	for (const file of readdirSync(archives).filter((name) => name.endsWith(".deb"))) {
		await run(["dpkg-deb", "-x", file, folder], { cwd: archives });
		const [name = "", version = ""] = (await run(["dpkg-deb", "-f", file, "Package", "Version"], { cwd: archives }))
			.trim()
			.split("\n")
			.map((line) => line.replace(/^\w+: /, ""));
		writeFileSync(marker(architecture, name), version);
		rmSync(join(archives, file));
	}
}

/** Options that give apt its own lists, state and architecture, with the machine's sources and keys. Updates the lists. */
async function privateApt(architecture: string, kind: "deb" | "deb-src"): Promise<string[]> {
	const folder = join(aptFolder, architecture, kind);
	for (const part of ["state/lists/partial", "cache/archives/partial"]) mkdirSync(join(folder, part), { recursive: true });
	const status = join(folder, "status");
	writeFileSync(status, "");
	const sources = join(folder, "sources");
	writeSources(sources, kind);
	const options = [
		"-q",
		...["-o", `APT::Architecture=${architecture}`, "-o", `APT::Architectures=${architecture}`, "-o", "APT::Sandbox::User=root"],
		...["-o", `Dir::State=${folder}/state`, "-o", `Dir::Cache=${folder}/cache`, "-o", `Dir::State::status=${status}`],
		...["-o", "Dir::Etc::sourcelist=-", "-o", `Dir::Etc::sourceparts=${sources}`],
	];
	await run(["apt-get", ...options, "update"]);
	return options;
}

/** Writes the machine's own Debian repositories, for packages or for sources, into a folder that apt reads. Throws where it has none. */
function writeSources(folder: string, kind: "deb" | "deb-src"): void {
	rmSync(folder, { recursive: true, force: true });
	mkdirSync(folder, { recursive: true });
	const system = "/etc/apt/sources.list.d";
	const files = existsSync(system) ? readdirSync(system).map((name) => join(system, name)) : [];
	const texts = (extension: string) =>
		[...files, "/etc/apt/sources.list"].filter((path) => path.endsWith(extension) && existsSync(path)).map(readText);
	const stanzas = texts(".sources")
		.flatMap((text) => text.split(/\n\s*\n/))
		.filter((stanza) => /^Types:.*\bdeb\b/m.test(stanza) && /debian-archive-keyring/.test(stanza))
		.map((stanza) => stanza.replace(/^#.*\n/gm, "").replace(/^Types:.*$/m, `Types: ${kind}`));
	const lines = texts(".list")
		.flatMap((text) => text.split("\n"))
		.filter((line) => /^deb\s.*\/debian(-security)?\/?\s/.test(line))
		.map((line) => line.replace(/^deb/, kind));
	if (stanzas.length + lines.length === 0) {
		throw new OperatingError("build_packages", "No Debian repository in /etc/apt: packages of other architectures are fetched on Debian only");
	}
	writeFileSync(join(folder, "debian.sources"), `${stanzas.join("\n\n")}\n`);
	writeFileSync(join(folder, "debian.list"), `${lines.join("\n")}\n`);
}

function readText(path: string): string {
	return readFileSync(path, "utf8");
}
