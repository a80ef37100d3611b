import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compileC } from "./exec-storm.ts";
import { type TemporaryDirectory, temporaryDirectory } from "./temporary-directory.ts";
import { waitUntil } from "./wait-until.ts";

const program = "/lib/systemd/systemd-journald";
/** Mounts of the new process alone: its sockets and files lie in the test's folder, and nothing of the machine is touched. */
const script =
	'mount --bind "$1/run" /run && mount --bind "$1/log" /var/log/journal && mount --bind "$1/conf" /etc/systemd/journald.conf && exec "$2"';

/** Where the header of a journal file tells its state, and what it says of an ended file. */
const stateAt = 16;
const stateArchived = 2;

/** A real journald of one test in a mount namespace of its own, gone with the test. */
export class Journald implements AsyncDisposable {
	readonly #folder: TemporaryDirectory;
	readonly #process: Bun.Subprocess<"ignore", "ignore", "pipe">;
	readonly #sender: string;

	private constructor(folder: TemporaryDirectory, process: Bun.Subprocess<"ignore", "ignore", "pipe">, sender: string) {
		this.#folder = folder;
		this.#process = process;
		this.#sender = sender;
	}

	/** Starts one. `settings` are lines of the section `[Journal]`. */
	static async start(settings = ""): Promise<Journald> {
		const folder = temporaryDirectory("journald");
		for (const name of ["run/systemd/journal", "run/log", "log"]) mkdirSync(folder.join(name), { recursive: true });
		// What says that /var is there: journald then writes persistent files from the start.
		writeFileSync(folder.join("run/systemd/journal/flushed"), "");
		writeFileSync(
			folder.join("conf"),
			`[Journal]\nStorage=persistent\nRateLimitBurst=0\nReadKMsg=no\nAudit=off\nForwardToSyslog=no\nForwardToWall=no\nSplitMode=none\n${settings}\n`,
		);
		const sender = folder.join("send");
		await compileC(join(import.meta.dir, "journal-send.c"), sender);
		const command = [
			"setpriv",
			"--pdeathsig",
			"KILL",
			"unshare",
			"--mount",
			"--net",
			"--propagation",
			"private",
			"sh",
			"-ec",
			script,
			"sh",
			folder.path,
			program,
		];
		const process = Bun.spawn(command, { stdio: ["ignore", "ignore", "pipe"] });
		const journald = new Journald(folder, process, sender);
		try {
			await waitUntil(
				"journald listens and has its file",
				() => (existsSync(journald.#socket) && journald.files().length > 0) || process.exitCode !== null,
			);
			if (process.exitCode !== null) throw new Error(`journald ended: ${await process.stderr.text()}`);
		} catch (error) {
			await journald[Symbol.asyncDispose]();
			throw error;
		}
		return journald;
	}

	/** Directory of the journal. */
	get path(): string {
		return this.#folder.join("log");
	}

	/** Names of its files. */
	files(): string[] {
		return readdirSync(this.path, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".journal"));
	}

	/** Sends entries numbered from `first` by TAPIO_SEQ, with `pause` microseconds between two. Resolves when all are sent. */
	async send(count: number, first: number, pause = 0): Promise<void> {
		const sender = Bun.spawn([this.#sender, this.#socket, String(count), String(first), String(pause)], { stdio: ["ignore", "ignore", "pipe"] });
		const text = await sender.stderr.text();
		if ((await sender.exited) !== 0) throw new Error(`The sender ended with ${sender.exitCode}: ${text}`);
	}

	/** Has it begin a new file, and resolves when that is done. */
	async rotate(): Promise<void> {
		const before = this.files().length;
		this.#process.kill("SIGUSR2");
		await waitUntil("journald began a new file and is done with the old one", () => this.files().length > before && this.#archived());
	}

	/** As {@link rotate}, where the new file is the first in `path`. */
	async rotateInto(path: string): Promise<void> {
		this.#process.kill("SIGUSR2");
		await waitUntil("journald began a new file", () => readdirSync(path).length > 0);
	}

	/** Removes all archived files but those that hold the newest `bytes`. */
	vacuum(bytes: number): void {
		const { success, stderr } = Bun.spawnSync(["journalctl", "-D", this.path, `--vacuum-size=${bytes}`]);
		if (!success) throw new Error(`journalctl --vacuum-size: ${stderr}`);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#process.kill("SIGKILL");
		await this.#process.exited;
		this.#folder[Symbol.dispose]();
	}

	/** True where nothing is written any more to files that were ended (journal-def.h, STATE_ARCHIVED). */
	#archived(): boolean {
		const archives = this.files().filter((name) => name.includes("@"));
		return archives.every((name) => readFileSync(join(this.path, name))[stateAt] === stateArchived);
	}

	get #socket(): string {
		return this.#folder.join("run/systemd/journal/socket");
	}
}
