import { OperatingError } from "../../src/base/errors.ts";
/** What a 64-bit little-endian ELF file says about itself, as far as a loader cares. */
export interface ElfFile {
	/** e_machine: 62 is x86-64, 183 AArch64, 247 BPF. */
	readonly machine: number;
	/** e_type: 1 relocatable, 2 executable, 3 shared. */
	readonly type: number;
	readonly soname: string | undefined;
	/** DT_NEEDED, in order. */
	readonly needed: readonly string[];
	/** Versions that the file asks of others: { file: "libc.so.6", version: "GLIBC_2.33" }. */
	readonly versions: readonly { readonly file: string; readonly version: string }[];
	/** Strong symbols that somebody else must define. */
	readonly undefinedSymbols: readonly string[];
	/** Symbols that the file defines for others. */
	readonly definedSymbols: readonly string[];
}

const segmentLoad = 1;
const segmentDynamic = 2;
const tagNeeded = 1n;
const tagStrings = 5n;
const tagSoname = 14n;
const tagVersions = 0x6ffffffen;
const tagVersionCount = 0x6fffffffn;
const sectionDynamicSymbols = 11;
const bindWeak = 2;

/** Reads an ELF file. Throws OperatingError "build_elf" where it is none or is cut short. */
export function readElf(content: Uint8Array): ElfFile {
	const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
	if (view.byteLength < 64 || view.getUint32(0) !== 0x7f454c46) throw new OperatingError("build_elf", "Not an ELF file");
	if (view.getUint8(4) !== 2 || view.getUint8(5) !== 1) throw new OperatingError("build_elf", "Not a 64-bit little-endian ELF file");
	const segments = readSegments(view);
	const dynamic = readDynamic(view, segments);
	const stringsAt = fileOffset(segments, dynamic.find(([tag]) => tag === tagStrings)?.[1] ?? 0n);
	const string = (offset: number) => cText(content, stringsAt + offset);
	const soname = dynamic.find(([tag]) => tag === tagSoname);
	return {
		type: view.getUint16(16, true),
		machine: view.getUint16(18, true),
		soname: soname === undefined ? undefined : string(Number(soname[1])),
		needed: dynamic.filter(([tag]) => tag === tagNeeded).map(([, value]) => string(Number(value))),
		versions: readVersions(view, segments, dynamic, string),
		...readSymbols(view, string),
	};
}

interface Segment {
	readonly type: number;
	readonly offset: number;
	readonly address: bigint;
	readonly size: number;
}

function readSegments(view: DataView): Segment[] {
	const start = Number(view.getBigUint64(32, true));
	const size = view.getUint16(54, true);
	return Array.from({ length: view.getUint16(56, true) }, (_, index) => {
		const at = start + index * size;
		return {
			type: view.getUint32(at, true),
			offset: Number(view.getBigUint64(at + 8, true)),
			address: view.getBigUint64(at + 16, true),
			size: Number(view.getBigUint64(at + 32, true)),
		};
	});
}

function fileOffset(segments: readonly Segment[], address: bigint): number {
	for (const { type, offset, address: start, size } of segments) {
		if (type === segmentLoad && address >= start && address < start + BigInt(size)) return offset + Number(address - start);
	}
	return 0;
}

function readDynamic(view: DataView, segments: readonly Segment[]): [bigint, bigint][] {
	const segment = segments.find(({ type }) => type === segmentDynamic);
	if (segment === undefined) return [];
	const entries: [bigint, bigint][] = [];
	for (let at = segment.offset; at < segment.offset + segment.size; at += 16) {
		entries.push([view.getBigUint64(at, true), view.getBigUint64(at + 8, true)]);
	}
	return entries;
}

function readVersions(view: DataView, segments: readonly Segment[], dynamic: readonly [bigint, bigint][], string: (offset: number) => string) {
	const versions: { file: string; version: string }[] = [];
	let at = fileOffset(segments, dynamic.find(([tag]) => tag === tagVersions)?.[1] ?? 0n);
	const files = Number(dynamic.find(([tag]) => tag === tagVersionCount)?.[1] ?? 0n);
	for (let file = 0; file < files; file++) {
		let entry = at + view.getUint32(at + 8, true);
		for (let index = 0; index < view.getUint16(at + 2, true); index++) {
			versions.push({ file: string(view.getUint32(at + 4, true)), version: string(view.getUint32(entry + 8, true)) });
			entry += view.getUint32(entry + 12, true);
		}
		at += view.getUint32(at + 12, true);
	}
	return versions;
}

function readSymbols(view: DataView, string: (offset: number) => string) {
	const undefinedSymbols: string[] = [];
	const definedSymbols: string[] = [];
	const start = Number(view.getBigUint64(40, true));
	const stride = view.getUint16(58, true);
	for (let section = 0; section < view.getUint16(60, true); section++) {
		const header = start + section * stride;
		if (view.getUint32(header + 4, true) !== sectionDynamicSymbols) continue;
		const from = Number(view.getBigUint64(header + 24, true));
		const bytes = Number(view.getBigUint64(header + 32, true));
		for (let at = from + 24; at < from + bytes; at += 24) {
			const name = string(view.getUint32(at, true));
			const isDefined = view.getUint16(at + 6, true) !== 0;
			if (isDefined) definedSymbols.push(name);
			else if (view.getUint8(at + 4) >> 4 !== bindWeak) undefinedSymbols.push(name);
		}
	}
	return { undefinedSymbols, definedSymbols };
}

function cText(content: Uint8Array, at: number): string {
	return new TextDecoder("latin1").decode(content.subarray(at, content.indexOf(0, at)));
}
