import { CString } from "bun:ffi";
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { assert } from "../../base/assert.ts";
import { OperatingError } from "../../base/errors.ts";
import { cString, libc } from "./libc.ts";
import { createMemoryFile, Memory } from "./memory.ts";

/**
 * What the binary carries beside its code. The build puts a folder of plain files into the executable; at run time it is
 * readable under this path and nowhere on the node's disk:
 *   manifest.json     what is inside and what it needs, see {@link EmbeddedManifest}
 *   lib/<soname>      libz, libelf, libbpf of the target, in the order in which they are loaded
 *   bpf/<name>.bpf.o  BPF objects of the target
 */
const compiledFolder = "/$bunfs/root/embedded";

/** BPF objects of a working copy, below the root of the repository. */
const developmentFolder = join(import.meta.dir, "../../../build/bpf");

const rtldNow = 2;
const rtldGlobal = 0x100;
const pageBytes = 4096;
const descriptorFolder = "/proc/self/fd";
/** The largest file that is embedded. A library beyond it is a mistake of the build. */
const fileBytesMax = 64 * 1024 * 1024;

/** Written by the build, read here. */
export interface EmbeddedManifest {
	/** As in "linux-arm64". */
	readonly target: string;
	/** File names below lib/, dependencies first; the last one is libbpf. Empty where there are none. */
	readonly libraries: readonly string[];
	/** What the libraries ask of the node: "glibc 2.33". */
	readonly needs: string;
	/** Why there are no libraries, in words for the health of the kernel collector. */
	readonly absent?: string;
	/** Where each library came from: "libbpf1 1:1.1.2-0+deb12u1". */
	readonly sources: readonly string[];
}

/** How libbpf is opened: libc's `dlopen` with RTLD_NOW|RTLD_GLOBAL for each of `preload` in order, then `dlopen` of bun:ffi for `libbpfPath`. */
export interface LibbpfFiles {
	readonly libbpfPath: string;
	readonly preload: readonly string[];
}

/** True in the compiled binary, false in a working copy. */
export const isCompiled: boolean = Bun.isStandaloneExecutable;

/** What the binary says it carries; undefined in a working copy. Throws OperatingError "embedded_manifest" for a damaged binary. */
export function embeddedManifest(): EmbeddedManifest | undefined {
	if (!isCompiled) return undefined;
	try {
		return JSON.parse(readFileSync(join(compiledFolder, "manifest.json"), "utf8")) as EmbeddedManifest;
	} catch (cause) {
		throw new OperatingError("embedded_manifest", "Read the manifest inside the binary", { cause, hint: "the binary is damaged, fetch it again" });
	}
}

/**
 * Makes the embedded libraries loadable without writing to the node: each becomes a memory file, named by its path /proc/self/fd/N. The descriptors stay
 * open for the life of the process, because the loader recognises a library by that path and a number used again would find the wrong one; a worker
 * started anew is given the same ones. A working copy uses the libraries of the machine. Throws OperatingError "memfd" or "embedded_read".
 */
export function openEmbeddedLibraries(): LibbpfFiles | { readonly absent: string } {
	const manifest = embeddedManifest();
	if (manifest === undefined) return { libbpfPath: "libbpf.so.1", preload: [] };
	if (manifest.absent !== undefined) return { absent: manifest.absent };
	const [libbpfPath, ...others] = manifest.libraries.map(memoryFile).reverse();
	assert(libbpfPath !== undefined, "A build without a reason for absence has libraries");
	return { libbpfPath, preload: others.reverse() };
}

/** Loads `path` so that later libraries find its symbols. Throws OperatingError "dlopen" with the loader's own words. */
export function preloadLibrary(path: string): void {
	if (libc.dlopen(cString(path), rtldNow | rtldGlobal) !== null) return;
	const manifest = embeddedManifest();
	throw new OperatingError("dlopen", `Load ${path}: ${loaderError()}`, {
		hint: manifest === undefined ? "install libbpf1" : `this build needs ${manifest.needs}`,
	});
}

/**
 * The bytes of the BPF object `name` ("process"), from the binary or from a working copy's build folder. The caller owns them.
 * Throws OperatingError "bpf_object" where there is none.
 */
export function bpfObject(name: string): Uint8Array<ArrayBuffer> {
	assert(/^[a-z0-9-]+$/.test(name), "A BPF object is named in kebab case");
	const path = join(bpfFolder(), `${name}.bpf.o`);
	try {
		return new Uint8Array(readFileSync(path));
	} catch (cause) {
		throw new OperatingError("bpf_object", `Read the BPF object ${name}`, {
			cause,
			hint: isCompiled ? `this build carries ${bpfObjects().join(", ") || "none"}` : "run scripts/build-bpf.ts",
		});
	}
}

/** Names of the BPF objects at hand, sorted. Empty where the build had none. */
export function bpfObjects(): string[] {
	const folder = bpfFolder();
	if (!existsSync(folder)) return [];
	const names = readdirSync(folder).filter((file) => file.endsWith(".bpf.o"));
	return names.map((file) => file.slice(0, -".bpf.o".length)).sort();
}

function bpfFolder(): string {
	return isCompiled ? join(compiledFolder, "bpf") : join(developmentFolder, process.arch);
}

function readEmbedded(file: string): Uint8Array {
	try {
		return readFileSync(join(compiledFolder, file));
	} catch (cause) {
		throw new OperatingError("embedded_read", `Read ${file} inside the binary`, { cause, hint: "the binary is damaged, fetch it again" });
	}
}

/** The path that loads an embedded library. */
function memoryFile(name: string): string {
	const opened = openDescriptor(name);
	if (opened !== undefined) return opened;
	const content = readEmbedded(`lib/${name}`);
	assert(content.length > 0 && content.length < fileBytesMax, "An embedded file has a sensible size");
	// Whole pages: zeros after the end do not disturb a loader.
	const length = Math.ceil(content.length / pageBytes) * pageBytes;
	const descriptor = createMemoryFile(name, length);
	using mapping = Memory.map(descriptor, length);
	mapping.bytes.set(content);
	return `${descriptorFolder}/${descriptor}`;
}

/** The memory file of that name that this process has open already, as its path. */
function openDescriptor(name: string): string | undefined {
	for (const descriptor of readdirSync(descriptorFolder)) {
		const path = join(descriptorFolder, descriptor);
		try {
			if (readlinkSync(path) === `/memfd:${name} (deleted)`) return path;
		} catch {
			// Another thread closed it since the folder was read: it is none of ours, those stay open.
		}
	}
	return undefined;
}

function loaderError(): string {
	const text = libc.dlerror();
	return text === null ? "no reason given" : new CString(text).toString();
}
