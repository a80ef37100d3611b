/** Control characters, and the invisible ones that reorder or break a line on a terminal; not the plain line feed and tab of a layout. */
const unprintable =
	/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** A text from outside, safe for a terminal: what could move the cursor, colour or reorder becomes `\x1b` or `\u202e`. */
export function printable(text: string): string {
	return text.replace(unprintable, (character) => {
		const code = character.charCodeAt(0);
		return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
	});
}
