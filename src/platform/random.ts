/** 32 lower-case hexadecimal digits that nobody else has. Any thread. */
export function randomId(): string {
	return Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("hex");
}

/** A number from 0 to below 1, by chance. Any thread. */
export function randomFraction(): number {
	return Math.random();
}
