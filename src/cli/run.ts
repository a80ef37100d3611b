import { OperatingError } from "../base/errors.ts";
import { collectorDefinitions } from "../collectors/registry.ts";
import { secretValues } from "../config/explain.ts";
import type { AgentConfig, CollectorConfig } from "../config/schema.ts";
import { lockStateDirectory } from "../lane/state-directory.ts";
import { Orchestrator, type OrchestratorReport } from "../orchestrator/orchestrator.ts";
import { systemClock } from "../platform/clock.ts";
import type { Terminal } from "../platform/console.ts";
import { randomId } from "../platform/random.ts";
import { onSignals } from "../platform/signals.ts";
import { systemStateFiles } from "../platform/state-files.ts";
import type { HealthStatus } from "../telemetry/health.ts";
import { createLog, type Log } from "../telemetry/log.ts";
import { buildInfo } from "./build-info.ts";
import type { RunOptions } from "./command.ts";
import { logOutput } from "./log-output.ts";
import { ringNote } from "./ring-note.ts";
import { StatusKeeper } from "./status-keeper.ts";
import { summaryJson, summaryText } from "./summary.ts";

/** Digits of a run's id: with the boot id before it and the sequence behind it, no event of a live source has the id of another. */
const runIdLength = 12;
/** Exit status where nothing could be started (sysexits.h, EX_UNAVAILABLE). */
const exitStatusUnavailable = 69;
/** Exit status where the data worker failed: a defect, and a reason to be started again (sysexits.h, EX_SOFTWARE). */
const exitStatusFailed = 70;
/** Exit status after a second signal. */
const exitStatusForced = 130;

/** Runs the agent until a signal ends it, and resolves with the exit status: 0 after an orderly stop. Throws OperatingError where it cannot start. */
export async function run({ loaded, terminal, surroundings, json }: RunOptions): Promise<number> {
	const clock = systemClock;
	const startedAt = clock.monotonic();
	const probed = await withAvailable(loaded.config, terminal);
	if (probed === undefined) return exitStatusUnavailable;
	const config = probed;
	const log = createLog(config.orchestrator.log_level, "agent", logOutput(terminal.error, clock, secretValues(loaded)));
	const note = ringNote(config);
	if (note !== undefined) log.info(note);
	const keepsState = config.hasFile || config.orchestrator.nats.enabled;
	const directory = config.orchestrator.state_dir;
	const holder = { pid: surroundings.processId, started: new Date(clock.now()).toISOString(), node: config.orchestrator.node };
	using _lock = keepsState ? lockStateDirectory(directory, holder) : { [Symbol.dispose]: () => {} };
	const ending = Promise.withResolvers<"signal" | "failed">();
	const runId = randomId().slice(0, runIdLength);
	const keeper = keepsState
		? new StatusKeeper(
				directory,
				systemStateFiles,
				{ ...holder, id: runId, cluster: config.orchestrator.cluster, agent: buildInfo(surroundings).version },
				log,
			)
		: undefined;
	const orchestrator = new Orchestrator({
		config,
		clock,
		random: Math.random,
		log,
		stateDirectory: keepsState ? directory : undefined,
		runId,
		// What runs before this one come to is known from here on, and this one publishes.
		onLaneOpen: () => void orchestrator.report().then((report) => save(report)),
		onOutputGone: () => {
			log.info("The reader of the output has gone; the agent ends.");
			ending.resolve("signal");
		},
		onFailed: (message) => {
			log.error("The agent cannot go on.", { error: message });
			ending.resolve("failed");
		},
	});
	const save = (report: OrchestratorReport, ended = false) => keeper?.save(report, new Date(clock.now()).toISOString(), ended);
	let firstSignal: number | undefined;
	const release = onSignals(["SIGINT", "SIGTERM", "SIGHUP"], () => {
		firstSignal ??= clock.monotonic();
		if (clock.monotonic() - firstSignal > sameSignal) process.exit(exitStatusForced);
		ending.resolve("signal");
	});
	const early = await Promise.race([orchestrator.start(), ending.promise]);
	if (early === "failed") return abandon(orchestrator, release);
	const watch = new HealthWatch(log);
	const look = async () => {
		const report = await orchestrator.report();
		watch.look(report);
		save(report);
	};
	const timer = setInterval(() => void look(), config.orchestrator.health_check_interval);
	const first = setTimeout(() => void look(), firstLook);
	const end = await ending.promise;
	clearInterval(timer);
	clearTimeout(first);
	if (end === "failed") return abandon(orchestrator, release);
	log.info("Stopping: sources first, then what is on its way.");
	const report = await orchestrator.stop();
	save(report, true);
	release();
	const seconds = (clock.monotonic() - startedAt) / 1000;
	terminal.error.write(json ? summaryJson(report, seconds) : summaryText(report, seconds));
	return 0;
}

/** Without a data worker there is nobody to deliver to, and no account: everything ends at once. */
function abandon(orchestrator: Orchestrator, release: () => void): number {
	orchestrator.abandon();
	release();
	return exitStatusFailed;
}

/** Signals within this many milliseconds are one: a terminal and a wrapper such as timeout(1) both pass theirs on. */
const sameSignal = 500;

/** Milliseconds until health is looked at for the first time: sources are open and the first connection is made or refused by then. */
const firstLook = 2000;

/** Says when the health of a component changes, once per change. */
class HealthWatch {
	readonly #log: Log;
	readonly #said = new Map<string, string>();

	constructor(log: Log) {
		this.#log = log;
	}

	look(report: OrchestratorReport): void {
		for (const [name, { status, message }] of Object.entries(report.health)) {
			// A number that moves is no change of health: what waits in a spool is another at every look.
			const now = `${status} ${message.replace(/\d+(?:\.\d+)?/g, "#")}`;
			if (this.#said.get(name) === now) continue;
			this.#said.set(name, now);
			this.#say(status, name, message);
		}
	}

	#say(status: HealthStatus, component: string, message: string): void {
		const fields = { component, status, message };
		if (status === "unhealthy") this.#log.error("Health changed.", fields);
		else if (status === "degraded") this.#log.warn("Health changed.", fields);
		else this.#log.info("Health changed.", fields);
	}
}

/**
 * Without a configuration file: enables what this machine can give, from now on, and says what it cannot and why. Undefined where that is nothing. With a file
 * the configuration stays as it is; there a source that cannot be opened is a matter of health.
 */
async function withAvailable(config: AgentConfig, terminal: Terminal): Promise<AgentConfig | undefined> {
	if (config.hasFile) {
		if (Object.values(config.collectors).some(({ enabled }) => enabled)) return config;
		throw new OperatingError("no_collector", "The configuration enables no collector", {
			hint: `name one under collectors: ${collectorDefinitions.map(({ name }) => name).join(", ")}`,
		});
	}
	const collectors: Record<string, CollectorConfig> = {};
	const notes: string[] = [];
	for (const definition of collectorDefinitions) {
		const own = config.collectors[definition.name];
		if (own === undefined) continue;
		const obstacle = own.enabled ? await definition.probe(own.config) : "switched off";
		collectors[definition.name] = { ...own, enabled: obstacle === undefined, config: fromNowOn(own.config) };
		notes.push(obstacle === undefined ? `  ${definition.name}: on` : `  ${definition.name}: off, ${obstacle}`);
	}
	terminal.error.write(`No configuration file: showing what this machine gives. \`tapio-agent help\` says more.\n${notes.join("\n")}\n`);
	if (Object.values(collectors).every(({ enabled }) => !enabled)) return undefined;
	return { ...config, collectors };
}

/** A look at the machine begins now: nobody wants the whole boot on the terminal. */
function fromNowOn(config: unknown): unknown {
	if (typeof config !== "object" || config === null || !("start" in config) || config.start !== "cursor") return config;
	return { ...config, start: "tail" };
}
