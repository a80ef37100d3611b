import { assert } from "../base/assert.ts";
import { OperatingError } from "../base/errors.ts";

/** A member of a structure, nested structures resolved: `task.start`. Offset and size in bytes; for an array the size of all of it. */
export interface BtfMember {
	readonly name: string;
	readonly offset: number;
	readonly size: number;
}

/** A structure as the compiler laid it out. */
export interface BtfStructure {
	readonly size: number;
	readonly members: readonly BtfMember[];
}

/** The structures and enumerations of one object, by name, as far as they have one. */
export interface Btf {
	readonly structures: ReadonlyMap<string, BtfStructure>;
	readonly enumerations: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

// Documentation/bpf/btf.rst of the kernel: "BTF_KIND_*" and the sizes of what follows each type.
const kindInteger = 1;
const kindPointer = 2;
const kindArray = 3;
const kindStructure = 4;
const kindUnion = 5;
const kindEnumeration = 6;
const kindTypedef = 8;
const kindVolatile = 9;
const kindConst = 10;
const kindRestrict = 11;
const kindEnumeration64 = 19;
const typeBytes = 12;
const magic = 0xeb9f;
/** Types followed to find a size. A chain beyond it is damaged. */
const chainMax = 32;
/** Types of one object. An object beyond it is not one of ours. */
const typesMax = 65536;

interface Type {
	readonly name: string;
	readonly kind: number;
	readonly count: number;
	/** Bit 31 of the third word: bit fields among the members, or signed values. */
	readonly flag: boolean;
	/** Size or type, by kind. */
	readonly word: number;
	/** Where the kind's own data begins. */
	readonly at: number;
}

/** Reads the BTF of a BPF object (ELF, 64 bit, little-endian). Throws OperatingError "btf" where there is none or it is damaged. */
export function readObjectBtf(object: Uint8Array): Btf {
	try {
		return readBtf(section(object, ".BTF"));
	} catch (cause) {
		if (cause instanceof OperatingError) throw cause;
		throw new OperatingError("btf", "Read the BTF of a BPF object: it ends too early", { cause });
	}
}

function section(object: Uint8Array, wanted: string): DataView {
	const view = new DataView(object.buffer, object.byteOffset, object.byteLength);
	if (object.length < 64 || view.getUint32(0) !== 0x7f454c46 || object[4] !== 2 || object[5] !== 1) {
		throw new OperatingError("btf", "Read the BTF of a BPF object: not a 64-bit little-endian ELF file");
	}
	const headers = Number(view.getBigUint64(40, true));
	const count = view.getUint16(60, true);
	const namesHeader = headers + 64 * view.getUint16(62, true);
	const names = Number(view.getBigUint64(namesHeader + 24, true));
	for (let index = 0; index < count; index++) {
		const header = headers + 64 * index;
		if (text(view, names + view.getUint32(header, true)) !== wanted) continue;
		const offset = Number(view.getBigUint64(header + 24, true));
		const size = Number(view.getBigUint64(header + 32, true));
		return new DataView(object.buffer, object.byteOffset + offset, size);
	}
	throw new OperatingError("btf", `Read the BTF of a BPF object: no section ${wanted}`, { hint: "compile with -g" });
}

function readBtf(view: DataView): Btf {
	if (view.getUint16(0, true) !== magic) throw new OperatingError("btf", "Read the BTF of a BPF object: wrong magic number");
	const types = readTypes(view);
	const structures = new Map<string, BtfStructure>();
	const enumerations = new Map<string, ReadonlyMap<string, number>>();
	for (const type of types) {
		if (type.name === "") continue;
		if (type.kind === kindStructure) structures.set(type.name, { size: type.word, members: members(view, types, type, "", 0, 0) });
		if (type.kind === kindEnumeration) enumerations.set(type.name, values(view, type));
	}
	return { structures, enumerations };
}

function readTypes(view: DataView): Type[] {
	const start = view.getUint32(4, true) + view.getUint32(8, true);
	const end = start + view.getUint32(12, true);
	// Type 0 is void.
	const types: Type[] = [{ name: "", kind: 0, count: 0, flag: false, word: 0, at: 0 }];
	for (let at = start; at < end; ) {
		if (types.length > typesMax) throw new OperatingError("btf", `Read the BTF of a BPF object: more than ${typesMax} types`);
		const info = view.getUint32(at + 4, true);
		const kind = (info >>> 24) & 0x1f;
		const count = info & 0xffff;
		types.push({
			name: name(view, view.getUint32(at, true)),
			kind,
			count,
			flag: info >>> 31 === 1,
			word: view.getUint32(at + 8, true),
			at: at + typeBytes,
		});
		at += typeBytes + trailer(kind, count);
	}
	return types;
}

/** Bytes that follow a type of this kind. */
function trailer(kind: number, count: number): number {
	switch (kind) {
		case kindInteger:
		case 14: // variable
		case 17: // declaration tag
			return 4;
		case kindArray:
			return 12;
		case kindStructure:
		case kindUnion:
		case kindEnumeration64:
		case 15: // data section
			return 12 * count;
		case kindEnumeration:
		case 13: // function prototype
			return 8 * count;
		default:
			return 0;
	}
}

function members(view: DataView, types: readonly Type[], type: Type, prefix: string, base: number, depth: number): BtfMember[] {
	assert(depth < chainMax, "Structures nest a few levels");
	const found: BtfMember[] = [];
	for (let index = 0; index < type.count; index++) {
		const at = type.at + 12 * index;
		const path = prefix + name(view, view.getUint32(at, true));
		const inner = resolve(types, view.getUint32(at + 4, true));
		const word = view.getUint32(at + 8, true);
		const offset = base + (type.flag ? word & 0xffffff : word) / 8;
		if (inner.kind === kindStructure) found.push(...members(view, types, inner, `${path}.`, offset, depth + 1));
		else found.push({ name: path, offset, size: sizeOf(view, types, inner) });
	}
	return found;
}

function values(view: DataView, type: Type): Map<string, number> {
	const found = new Map<string, number>();
	for (let index = 0; index < type.count; index++) {
		const at = type.at + 8 * index;
		found.set(name(view, view.getUint32(at, true)), view.getInt32(at + 4, true));
	}
	return found;
}

/** Looks through names and qualifiers. */
function resolve(types: readonly Type[], id: number): Type {
	let type = types[id];
	for (let depth = 0; depth < chainMax && type !== undefined; depth++) {
		if (![kindTypedef, kindVolatile, kindConst, kindRestrict].includes(type.kind)) return type;
		type = types[type.word];
	}
	throw new OperatingError("btf", `Read the BTF of a BPF object: type ${id} leads nowhere`);
}

function sizeOf(view: DataView, types: readonly Type[], type: Type): number {
	if (type.kind === kindPointer) return 8;
	if (type.kind !== kindArray) return type.word;
	return view.getUint32(type.at + 8, true) * sizeOf(view, types, resolve(types, view.getUint32(type.at, true)));
}

function name(view: DataView, offset: number): string {
	return text(view, view.getUint32(4, true) + view.getUint32(16, true) + offset);
}

function text(view: DataView, at: number): string {
	let end = at;
	while (view.getUint8(end) !== 0) end++;
	return new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + at, end - at));
}

/** A structure in one line, for comparing two: its size, then `name:offset:size` of each member. */
export function describeStructure({ size, members }: BtfStructure): string {
	return [String(size), ...members.map((member) => `${member.name}:${member.offset}:${member.size}`)].join(" ");
}
