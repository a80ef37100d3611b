import { expect, test } from "bun:test";
import fc from "fast-check";
import { testNeeding } from "../../test/support/requires.ts";
import { temporaryDirectory } from "../../test/support/temporary-directory.ts";
import { OperatingError } from "../base/errors.ts";
import { describeStructure, readObjectBtf } from "./btf.ts";

const source = `
struct inner { unsigned char first; unsigned short second; };
typedef struct { const char *name; } named;
enum colour { RED = 1, BLUE = -2 };
struct outer { struct inner a; named b; int list[3][2]; volatile const enum colour colour; unsigned long long last; } example;
`;

/** Compiles the source for BPF. */
async function compiled(): Promise<Uint8Array> {
	using folder = temporaryDirectory("btf");
	await Bun.write(folder.join("x.c"), source);
	const child = Bun.spawn(["clang", "-O2", "-g", "-target", "bpf", "-c", folder.join("x.c"), "-o", folder.join("x.o")]);
	expect(await child.exited).toBe(0);
	return new Uint8Array(await Bun.file(folder.join("x.o")).arrayBuffer());
}

testNeeding("clang", "readObjectBtf() reads structures and enumerations as the compiler laid them out", async () => {
	const { structures, enumerations } = readObjectBtf(await compiled());
	const outer = structures.get("outer");
	expect(outer === undefined ? "" : describeStructure(outer)).toBe("56 a.first:0:1 a.second:2:2 b.name:8:8 list:16:24 colour:40:4 last:48:8");
	expect(Object.fromEntries(enumerations.get("colour") ?? [])).toEqual({ RED: 1, BLUE: -2 });
});

test("readObjectBtf() refuses what is no object", () => {
	for (const bytes of [new Uint8Array(0), new Uint8Array(64), new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2, 1, ...new Array<number>(100).fill(0xff)])]) {
		expect(() => readObjectBtf(bytes)).toThrow(OperatingError);
	}
});

testNeeding("clang", "readObjectBtf() answers any damage with an OperatingError", async () => {
	const object = await compiled();
	let looked = 0;
	const mutation = fc.record({ at: fc.nat(object.length - 1), value: fc.nat(255) });
	fc.assert(
		fc.property(fc.array(mutation, { minLength: 1, maxLength: 30 }), fc.nat(object.length), (mutations, length) => {
			const damaged = object.slice(0, looked % 3 === 0 ? length : object.length);
			for (const { at, value } of mutations) damaged[at % Math.max(1, damaged.length)] = value;
			looked++;
			try {
				readObjectBtf(damaged);
			} catch (error) {
				expect(error).toBeInstanceOf(OperatingError);
			}
		}),
		{ numRuns: 500 },
	);
	expect(looked).toBeGreaterThanOrEqual(500);
});
