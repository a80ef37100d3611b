/**
 * What a terminal would obey or hide instead of showing: control characters, invisible characters, those that reorder the line (Unicode's
 * bidirectional controls), tags, halves of surrogate pairs.
 */
const unprintable =
	/[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|\udb40[\udc00-\udc7f]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** A text from outside, safe for a terminal: what could move the cursor, colour, hide or reorder becomes `\x1b` or `\u202e`. */
export function printable(text: string): string {
	return text.replace(unprintable, (character) => {
		const code = character.codePointAt(0) ?? 0;
		if (code < 0x100) return `\\x${code.toString(16).padStart(2, "0")}`;
		return code < 0x10000 ? `\\u${code.toString(16).padStart(4, "0")}` : `\\u{${code.toString(16)}}`;
	});
}
