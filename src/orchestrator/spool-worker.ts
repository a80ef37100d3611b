import { assert } from "../base/assert.ts";
import { describeError } from "../base/errors.ts";
import { systemSpoolFiles } from "../platform/spool-files.ts";
import { openSpool } from "../spool/open-spool.ts";
import type { AppendStatus, SpoolRecord } from "../spool/record.ts";
import { localStore, type SpoolStore } from "../spool/store.ts";
import { createLog } from "../telemetry/log.ts";
import { type FromSpoolWorker, hostError, type SpoolRequest, type ToSpoolWorker } from "./messages.ts";

declare const self: Worker;

const stores = new Map<string, SpoolStore>();

function open(lane: string, { directory, id, limits, logLevel }: Extract<SpoolRequest, { type: "open" }>): SpoolStore {
	const log = createLog(logLevel, lane, (entry) => send({ type: "log", entry }));
	return localStore(openSpool(directory, { name: lane, id }, limits, { files: systemSpoolFiles, log }));
}

async function serve(lane: string, request: SpoolRequest): Promise<AppendStatus | SpoolRecord | number | boolean | undefined> {
	if (request.type === "open") {
		assert(!stores.has(lane), "A spool is opened once");
		stores.set(lane, open(lane, request));
		return undefined;
	}
	const store = stores.get(lane);
	assert(store !== undefined, "A spool is opened before it is used");
	switch (request.type) {
		case "append":
			return await store.append(request.record);
		case "head": {
			const record = await store.head(request.now);
			return record === undefined ? undefined : { ...record, payload: record.payload.slice() };
		}
		case "find":
			return await store.find(request.run, request.sequence);
		case "acknowledge":
			return await store.acknowledge(request.number);
		case "tick":
			await store.tick(request.now);
			return undefined;
		case "rest":
			await store.rest();
			return undefined;
		case "close":
			await store.close();
			return undefined;
	}
}

function send(message: FromSpoolWorker): void {
	const payload = message.type === "answer" && typeof message.value === "object" ? message.value.payload : undefined;
	// A copy of its own: handed over, and not copied once more.
	self.postMessage(message, payload?.buffer instanceof ArrayBuffer ? [payload.buffer] : []);
}

/** Entry of the worker that writes and reads spools: a disk that takes its time keeps nobody else waiting. One call after the other. */
self.onmessage = async (event: MessageEvent<ToSpoolWorker>) => {
	const { call, lane, request } = event.data;
	try {
		const value = await serve(lane, request);
		const store = stores.get(lane);
		const view = store === undefined ? undefined : { account: store.account, end: store.end, fault: store.fault };
		send({ type: "answer", call, value, view });
	} catch (error) {
		send({ type: "refused", call, error: hostError(error, describeError) });
	}
};
