const encoder = new TextEncoder();

/**
 * One token for a subject or a file name: bytes of the UTF-8 text outside `[A-Za-z0-9_-]` become `%XX`, so that dots, spaces, `*` and `>` cannot
 * change the shape of what the token is put into. Different texts give different tokens. "" stays "".
 */
export function encodeToken(text: string): string {
	if (/^[A-Za-z0-9_-]*$/.test(text)) return text;
	let token = "";
	for (const byte of encoder.encode(text)) {
		const character = String.fromCharCode(byte);
		token += /[A-Za-z0-9_-]/.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
	}
	return token;
}
