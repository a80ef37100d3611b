import { masked } from "../../base/mask.ts";

/** Words that make a name the name of a secret: `--db-password`, `AWS_SECRET_ACCESS_KEY`, `x-api-key`. */
const secretName = "(?:pass(?:word|wd|phrase|code)?|pwd|secret|token|credentials?|api[-_]?key|access[-_]?key|private[-_]?key|authorization)";

/** Anything that the exact patterns below could match; most command lines are done after this one test. */
const suspicious = /pass|pwd|secret|token|credential|key|authorization|:\/\/|-u|--user|--proxy-user/i;

/** `--password=value`, `TOKEN=value`, `-Dspring.password=value`: all behind the sign is the value. */
const assignment = new RegExp(`^(-{0,2}[\\w.-]*${secretName}[\\w.-]*=)([\\s\\S]+)$`, "i");

/** The same inside a longer text, such as `sh -c "TOKEN=value command"`, JSON, or a header `X-Auth-Token: value`. */
const inner = new RegExp(`(${secretName}[\\w.-]*["']?\\s*[=:]\\s*(?:(?:bearer|basic|token)\\s+)?["']?)([^\\s"'&;,]+)`, "gi");

/** `--token value` inside a longer text. */
const innerFlag = new RegExp(`((?:^|\\s)--?[\\w.-]*${secretName}[\\w.-]*\\s+["']?)([^\\s"'-][^\\s"']*)`, "gi");

/** A flag whose value is the next argument. What names a place to read the secret from is none. */
const flag = new RegExp(`^--?[\\w.-]*${secretName}[\\w.-]*$`, "i");
const place = /[-_.](?:stdin|file|path|fd|name|type|ttl|dir)$/i;

/** `-u user:password`, as of curl. */
const userFlag = /^(?:-u|--user|--proxy-user)$/;
const userPair = /^([^:]*:)([\s\S]+)$/;

/** The user part of a URL, password and all: a token stands where the user name would. */
const urlUser = /([a-z][a-z0-9+.-]*:\/\/)[^\s"'/?#]*@/gi;

/** True where `text` may hold a secret: a cheap test for whole command lines, wrong only in the careful direction. */
export function mayHoldSecret(text: string): boolean {
	return suspicious.test(text);
}

/**
 * Arguments with what looks like a secret replaced by `***`. Undefined where nothing was. Works on any text in which ASCII means itself, as bytes
 * decoded one by one. A secret without a telling name in front (`mysql -pSECRET`, a positional argument) is not recognised.
 */
export function redactArguments(list: readonly string[]): string[] | undefined {
	let changed = false;
	const clean = list.map((argument, index) => {
		const result = redactOne(argument, index === 0 ? undefined : list[index - 1]);
		if (result !== argument) changed = true;
		return result;
	});
	return changed ? clean : undefined;
}

function redactOne(argument: string, before: string | undefined): string {
	if (argument === "") return argument;
	if (before !== undefined && flag.test(before) && !place.test(before) && !argument.startsWith("-")) return masked;
	if (before !== undefined && userFlag.test(before)) return argument.replace(userPair, `$1${masked}`);
	if (assignment.test(argument))
		return argument.replace(assignment, (whole, head: string) => (place.test(head.slice(0, -1)) ? whole : head + masked));
	return argument.replace(urlUser, `$1${masked}@`).replace(inner, `$1${masked}`).replace(innerFlag, `$1${masked}`);
}
