import { JSCallback, type Pointer, read, toArrayBuffer } from "bun:ffi";
import { libc } from "./libc.ts";
import { Memory } from "./memory.ts";

/** Lines kept of one call, the last ones: a verifier ends with its reason. */
const linesMax = 12;
/** Characters kept of a line. */
const lineCharactersMax = 300;
/** Bytes looked at from the end of one message, which may hold a verifier's whole log. */
const messageBytesMax = 16 * 1024;
/** enum libbpf_print_level: warnings, information, debugging. */
const levelWarn = 0;

/** What a call gave back, and what libbpf said meanwhile. */
export interface Captured<Result> {
	readonly result: Result;
	readonly lines: readonly string[];
}

/**
 * Catches what libbpf writes, which would otherwise go to the terminal. libbpf calls back on the calling thread and only inside a call, so the callback
 * lives as long as that call; in between libbpf is silent.
 */
export class LibbpfLog {
	readonly #setPrint: (callback: Pointer | null) => void;
	readonly #text = Memory.allocate(8);

	/** `setPrint` is libbpf_set_print. */
	constructor(setPrint: (callback: Pointer | null) => void) {
		this.#setPrint = setPrint;
		setPrint(null);
	}

	/** Runs `call` and keeps the last lines that libbpf wrote during it. */
	capture<Result>(call: () => Result): Captured<Result> {
		const lines: string[] = [];
		const callback = new JSCallback((level: number, format: Pointer, values: Pointer) => this.#keep(lines, level, format, values), {
			args: ["i32", "ptr", "ptr"],
			returns: "i32",
		});
		try {
			this.#setPrint(callback.ptr);
			return { result: call(), lines };
		} finally {
			this.#setPrint(null);
			callback.close();
		}
	}

	/** A va_list is passed by reference on x86-64 and arm64, so that it can be handed on as it came. */
	#keep(lines: string[], level: number, format: Pointer, values: Pointer): number {
		if (level !== levelWarn) return 0;
		const length = libc.vasprintf(this.#text.addressOf(0) as Pointer, format, values);
		if (length <= 0) return 0;
		const text = read.ptr(this.#text.addressOf(0) as Pointer) as Pointer;
		const kept = Math.min(length, messageBytesMax);
		const message = new TextDecoder().decode(new Uint8Array(toArrayBuffer(text, length - kept, kept)));
		libc.free(text);
		for (const line of message.split("\n")) {
			if (line.trim() !== "") lines.push(line.trim().slice(0, lineCharactersMax));
		}
		lines.splice(0, lines.length - linesMax);
		return 0;
	}
}
