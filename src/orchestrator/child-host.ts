import { assert } from "../base/assert.ts";
import { selfCommand } from "../platform/self-command.ts";
import type { FromHost, HostOptions } from "./messages.ts";
import type { CollectorHost, HostEvents } from "./supervisor.ts";

/** What a child wrote to its standard error is kept up to this length, for the log. */
const errorTextMax = 2048;
/** Longest line of a report. Beyond it the child is not ours to understand. */
const lineLengthMax = 1 << 20;

/** Starts collectors in a child process of the same binary, whose ring is a descriptor of this process. */
export function startChildHost(options: HostOptions, events: HostEvents, { command, name } = selfCommand()): CollectorHost {
	const { ring } = options;
	assert("descriptor" in ring, "A child's ring is a memory file");
	// The descriptor is number 3 on the other side, the first behind the standard ones.
	const theirs: HostOptions = { ...options, ring: { descriptor: 3, length: ring.length } };
	const child = Bun.spawn([...command, "__collector-child", options.name], {
		argv0: name,
		stdio: ["pipe", "pipe", "pipe", ring.descriptor],
	});
	child.stdin.write(`${JSON.stringify(theirs)}\n`);
	child.stdin.flush();
	let ended: Extract<FromHost, { type: "ended" }> | undefined;
	const reports = eachLine(child.stdout, (line) => {
		const message: FromHost = JSON.parse(line);
		if (message.type === "ended") ended = message;
		else events.onMessage(message);
	});
	const errorText = tail(child.stderr);
	const exited = Promise.all([child.exited, reports, errorText]).then(([status, , text]) => {
		const how = child.signalCode === null ? `status ${status}` : `signal ${child.signalCode}`;
		if (ended !== undefined) events.onEnded(ended.error);
		else events.onEnded({ code: "child_died", message: `the child process ended with ${how}${text === "" ? "" : `: ${text}`}` });
	});
	return { description: `process ${child.pid}`, kill: () => child.kill("SIGKILL"), exited };
}

async function eachLine(stream: ReadableStream<Uint8Array>, take: (line: string) => void): Promise<void> {
	const decoder = new TextDecoder();
	let rest = "";
	for await (const chunk of stream) {
		const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
		rest = lines.pop() ?? "";
		assert(rest.length <= lineLengthMax, "A report is one line of bounded length");
		for (const line of lines) take(line);
	}
}

async function tail(stream: ReadableStream<Uint8Array>): Promise<string> {
	const decoder = new TextDecoder();
	let text = "";
	for await (const chunk of stream) text = (text + decoder.decode(chunk, { stream: true })).slice(-errorTextMax);
	return text.trim();
}
