/** A number that carries its unit in its type, so that bytes are never passed where milliseconds are meant. */
type Unit<Name extends string> = number & { readonly unit: Name };

/** Whole bytes, 0 or more. */
export type Bytes = Unit<"bytes">;
/** Milliseconds, 0 or more. */
export type Milliseconds = Unit<"milliseconds">;

/** Bytes from a plain number. */
export function bytes(value: number): Bytes {
	return value as Bytes;
}

/** Milliseconds from a plain number. */
export function milliseconds(value: number): Milliseconds {
	return value as Milliseconds;
}

/** 2^10 bytes. */
export const KiB = 1024;
/** 2^20 bytes. */
export const MiB = 1024 * KiB;
