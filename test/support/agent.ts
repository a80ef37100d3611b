import { existsSync } from "node:fs";
import { join } from "node:path";
import { imbalance, type Ledger, type LedgerAccount } from "../../src/telemetry/ledger.ts";
import { waitUntil } from "./wait-until.ts";

/** The compiled agent, which every end-to-end test runs. */
export const agentPath = join(import.meta.dir, "../../dist/tapio-agent");

/** What an agent said at its end. */
export interface AgentEnd {
	readonly status: number;
	readonly ledger: Ledger;
	readonly health: Readonly<Record<string, { readonly status: string; readonly message: string }>>;
	readonly restarts: Readonly<Record<string, number>>;
	readonly stdout: string;
	readonly stderr: string;
}

/** How to start an agent. */
export interface AgentOptions {
	/** Arguments behind the command. `--json` is added. */
	readonly arguments?: readonly string[];
	readonly environment?: Readonly<Record<string, string>>;
	/** Put before the command line, as in `["setpriv", "--reuid", "nobody"]`. */
	readonly prefix?: readonly string[];
	readonly directory?: string;
}

/** A running agent of one test, killed with it. */
export class Agent implements AsyncDisposable {
	readonly #process: Bun.Subprocess<"ignore", "pipe", "pipe">;
	readonly #streams: Promise<unknown>;
	#stdout = "";
	#stderr = "";

	constructor(options: AgentOptions = {}) {
		if (!existsSync(agentPath)) throw new Error(`${agentPath} is missing: run scripts/build first`);
		const command = [...(options.prefix ?? []), agentPath, "run", "--json", ...(options.arguments ?? [])];
		const environment = { PATH: process.env["PATH"] ?? "", ...options.environment };
		const cwd = options.directory ?? "/";
		this.#process = Bun.spawn(command, { stdio: ["ignore", "pipe", "pipe"], env: environment, cwd });
		this.#streams = Promise.all([
			gather(this.#process.stdout, (text) => {
				this.#stdout += text;
			}),
			gather(this.#process.stderr, (text) => {
				this.#stderr += text;
			}),
		]);
	}

	get pid(): number {
		return this.#process.pid;
	}
	get hasEnded(): boolean {
		return this.#process.exitCode !== null;
	}
	/** What it wrote to its standard error so far: the log. */
	get log(): string {
		return this.#stderr;
	}
	/** What it wrote to its standard output so far: events, where they are shown. */
	get output(): string {
		return this.#stdout;
	}

	/** Resolves when the log holds `text`. */
	async says(text: string, deadline?: number): Promise<void> {
		await waitUntil(`the agent says ${JSON.stringify(text)}; it said:\n${this.#stderr}`, () => this.#stderr.includes(text), deadline);
	}

	/** Sends a signal. */
	signal(name: NodeJS.Signals): void {
		this.#process.kill(name);
	}

	/** Processes below it. */
	children(): number[] {
		const { stdout } = Bun.spawnSync(["pgrep", "-P", String(this.pid)]);
		return stdout
			.toString()
			.trim()
			.split("\n")
			.filter((line) => line !== "")
			.map(Number);
	}

	/** Resolves with the exit status when it ended by itself. */
	async ended(): Promise<number> {
		const status = await this.#process.exited;
		await this.#streams;
		return status;
	}

	/** Ends it as an operator would, checks the law of conservation, and gives the last account. */
	async stop(): Promise<AgentEnd> {
		this.#process.kill("SIGTERM");
		const status = await this.ended();
		const line = this.#stderr.split("\n").findLast((candidate) => candidate.startsWith("{"));
		if (line === undefined) throw new Error(`The agent ended with status ${status} and without an account:\n${this.#stderr}`);
		const end = { status, stdout: this.#stdout, stderr: this.#stderr, ...JSON.parse(line) } satisfies AgentEnd;
		for (const [collector, account] of Object.entries<LedgerAccount>(end.ledger)) {
			const missing = imbalance(account);
			// It looks at its accounts with every batch, and says so.
			if (missing !== 0 || this.#stderr.includes("does not balance"))
				throw new Error(`The account of ${collector} does not balance by ${missing}: ${JSON.stringify(account)}`);
		}
		return end;
	}

	/** Ends it at once, as power loss or the kernel would. */
	async kill(): Promise<void> {
		this.#process.kill("SIGKILL");
		await this.#process.exited;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		if (this.#process.exitCode === null) await this.kill();
	}
}

async function gather(stream: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
	const decoder = new TextDecoder();
	for await (const chunk of stream) take(decoder.decode(chunk, { stream: true }));
}
