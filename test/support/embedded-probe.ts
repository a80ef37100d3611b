import { dlopen, FFIType } from "bun:ffi";
import { bpfObject, bpfObjects, embeddedManifest, openEmbeddedLibraries, preloadLibrary } from "../../src/platform/ffi/embedded.ts";

// A program for the tests of the binary: loads what is embedded, the way the kernel collector does, and prints what it found as one line of JSON.
const opened = openEmbeddedLibraries();
const report: Record<string, unknown> = { arch: process.arch, manifest: embeddedManifest(), opened };
if ("libbpfPath" in opened) {
	for (const path of opened.preload) preloadLibrary(path);
	const { symbols } = dlopen(opened.libbpfPath, {
		libbpf_major_version: { args: [], returns: FFIType.u32 },
		libbpf_minor_version: { args: [], returns: FFIType.u32 },
	});
	report["libbpf"] = `${symbols.libbpf_major_version()}.${symbols.libbpf_minor_version()}`;
	report["again"] = openEmbeddedLibraries();
}
report["objects"] = bpfObjects().map((name) => ({ name, size: bpfObject(name).length }));
process.stdout.write(`${JSON.stringify(report)}\n`);
