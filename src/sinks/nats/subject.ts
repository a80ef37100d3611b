import { OperatingError } from "../../base/errors.ts";
import { encodeToken } from "../../base/token.ts";

/** What the placeholders of a subject stand for: plain text, not yet encoded. */
export interface SubjectNames {
	readonly cluster: string;
	readonly node: string;
	readonly collector: string;
}

const placeholder = /\{(cluster|node|collector)\}/g;

/**
 * The subject of a lane: `<pattern>.<node>.<collector>`, or the pattern with its placeholders filled where it has any. Each value is one token.
 * Throws OperatingError "nats_subject" where the pattern is no subject or a value is empty.
 */
export function laneSubject(pattern: string, names: SubjectNames): string {
	checkPattern(pattern);
	const whole = hasPlaceholder(pattern) ? pattern : `${pattern}.{node}.{collector}`;
	return whole.replace(placeholder, (_, name: keyof SubjectNames) => {
		const token = encodeToken(names[name]);
		if (token === "")
			throw new OperatingError("nats_subject", `The ${name} is empty, and a subject has no empty part`, { hint: `set orchestrator.${name}` });
		return token;
	});
}

/** The subjects of the stream that takes every lane of this pattern: its literal beginning and `>`. Throws OperatingError "nats_subject". */
export function streamSubject(pattern: string): string {
	checkPattern(pattern);
	const literal: string[] = [];
	for (const token of pattern.split(".")) {
		if (hasPlaceholder(token)) break;
		literal.push(token);
	}
	if (literal.length === 0) {
		throw new OperatingError("nats_subject", `The subject ${pattern} begins with a placeholder, so no stream can be named for it`, {
			hint: "begin nats.subject with a word, as in tapio.{cluster}.{node}.{collector}",
		});
	}
	return `${literal.join(".")}.>`;
}

/** True where `filter`, which may hold `*` and a last `>`, takes every subject that `other` takes. */
export function subjectCovers(filter: string, other: string): boolean {
	const left = filter.split(".");
	const right = other.split(".");
	for (let index = 0; index < left.length; index++) {
		const token = left[index];
		const against = right[index];
		if (against === undefined) return false;
		if (token === ">") return true;
		if (against === ">") return false;
		if (token !== "*" && token !== against) return false;
	}
	return left.length === right.length;
}

function hasPlaceholder(text: string): boolean {
	return text.search(placeholder) >= 0;
}

function checkPattern(pattern: string): void {
	const bare = pattern.replace(placeholder, "x");
	// A subject is bytes without spaces and control characters; wildcards, braces and dollar roots would not be ours to publish to.
	if (!/^[^\s.*>{}$\p{Cc}][^\s.*>{}\p{Cc}]*(\.[^\s.*>{}\p{Cc}]+)*$/u.test(bare)) {
		throw new OperatingError("nats_subject", `The subject ${JSON.stringify(pattern)} cannot be published to`, {
			hint: "words separated by single dots, with {cluster}, {node} and {collector} where wanted",
		});
	}
}
