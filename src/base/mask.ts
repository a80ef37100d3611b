/** What stands in the place of a secret. */
export const masked = "***";

/** The user part of every URL in a text, up to the last `@` before a blank; a following element of a list starts anew. Rather too much than too little. */
const credentials = /(?<![a-z0-9+.-])([a-z][a-z0-9+.-]*:\/\/)(?:(?!,\s*[a-z][a-z0-9+.-]*:\/\/)\S)*@/gi;
/** The same where the text is known to be a URL: then blanks belong to it. */
const credentialsOfUrl = /(?<![a-z0-9+.-])([a-z][a-z0-9+.-]*:\/\/)(?:(?!,\s*[a-z][a-z0-9+.-]*:\/\/)[\s\S])*@/gi;

/**
 * A URL, or several with commas between, without the user part: `nats://***@host:4222`. All of the user part goes, because a token stands where
 * the user name would. Takes `user:password@host` without a scheme as well.
 */
export function maskUrl(url: string): string {
	if (url.includes("://")) return url.replace(credentialsOfUrl, `$1${masked}@`);
	const at = url.lastIndexOf("@");
	return at < 0 ? url : `${masked}@${url.slice(at + 1)}`;
}

/** Shortest secret that {@link maskSecrets} looks for: shorter ones would blank out innocent text. */
const secretLengthMin = 4;

/** Any text, as for a log or an error, with the credentials of URLs and every occurrence of the `secrets` masked. */
export function maskSecrets(text: string, secrets: readonly string[] = []): string {
	let clean = text.replace(credentials, `$1${masked}@`);
	for (const secret of secrets) {
		if (secret.length >= secretLengthMin) clean = clean.replaceAll(secret, masked);
	}
	return clean;
}
