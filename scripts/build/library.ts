/** One shared library to be embedded. */
export interface Library {
	/** Its SONAME. */
	readonly name: string;
	readonly content: Uint8Array<ArrayBuffer>;
}

/** What a target carries to load BPF with, checked. */
export interface Libraries {
	/** Dependencies first, libbpf last. */
	readonly files: readonly Library[];
	/** "glibc 2.33": what the node must have. */
	readonly needs: string;
	readonly sources: readonly string[];
	/** Why there are none. */
	readonly absent?: string;
}
