import { describeError } from "../base/errors.ts";
import { systemClock } from "../platform/clock.ts";
import { randomFraction } from "../platform/random.ts";
import { createLog } from "../telemetry/log.ts";
import { createSinks } from "./create-sinks.ts";
import { DataPlane } from "./data-plane.ts";
import type { DataWorkerOptions, FromDataWorker, ToDataWorker } from "./messages.ts";
import { SpoolClient } from "./spool-client.ts";

declare const self: Worker;

const send = (message: FromDataWorker) => self.postMessage(message);
let plane: DataPlane | undefined;
let spools: SpoolClient | undefined;

async function start(options: DataWorkerOptions): Promise<void> {
	const log = createLog(options.config.orchestrator.log_level, "data", (entry) => send({ type: "log", entry }));
	const sinks = createSinks(options.config, systemClock, log);
	spools = new SpoolClient({
		onLog: (entry) => send({ type: "log", entry }),
		onFailed: (message) => send({ type: "failed", message }),
	});
	plane = new DataPlane(options, sinks, {
		clock: systemClock,
		log,
		random: randomFraction,
		openSpool: spools.open.bind(spools),
		events: {
			laneOpen: (collector, position) => send({ type: "laneOpen", collector, position }),
			outputGone: () => send({ type: "outputGone" }),
			rewind: (collector, reason) => send({ type: "rewind", collector, reason }),
		},
	});
	await plane.start();
	send({ type: "started" });
}

async function handle(message: ToDataWorker): Promise<void> {
	switch (message.type) {
		case "start":
			return start(message.options);
		case "settle":
			if (plane !== undefined) send({ type: "settled", ring: message.ring, positions: await plane.settle(message.ring) });
			return;
		case "report":
			if (plane !== undefined) send({ type: "report", report: plane.report() });
			return;
		case "stop":
			if (plane === undefined) return;
			await plane.stop(message.timeout);
			spools?.terminate();
			send({ type: "stopped", report: plane.report() });
	}
}

/** Entry of the worker that drains rings into sinks. */
self.onmessage = (event: MessageEvent<ToDataWorker>) => {
	handle(event.data).catch((error: unknown) => {
		const fields = { error: describeError(error) };
		send({ type: "log", entry: { level: "error", component: "data", message: "The data worker failed.", fields } });
		send({ type: "failed", message: describeError(error) });
	});
};
