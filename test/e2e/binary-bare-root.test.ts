import { expect } from "bun:test";
import { runInBareRoot, startInBareRoot } from "../support/bare-root.ts";
import { builtAgent, builtProbe } from "../support/built-agent.ts";
import { testNeeding } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait-until.ts";

const deadline = 120_000;
const agent = await builtAgent();
const host = `linux-${process.arch}`;

testNeeding(
	"root",
	"tapio-agent --version and --help run on a machine that has only a C library, and write nothing",
	async () => {
		for (const [flag, expected] of [
			["--version", `target   ${host}\n`],
			["--help", "Usage\n"],
		] as const) {
			using directory = temporaryDirectory("bare");
			const result = await runInBareRoot({ directory, program: agent, args: [flag] });
			expect(result).toMatchObject({ code: 0, stderr: "", written: [] });
			expect(result.stdout).toContain(expected);
			expect(result.before.length).toBeGreaterThan(5);
			expect(result.before.filter((file) => /clang|bpf|bun|node_modules|libelf|libz|systemd/.test(file))).toEqual([]);
		}
	},
	deadline,
);

testNeeding(
	"root",
	"openEmbeddedLibraries() loads libbpf from memory on a machine that has none, and leaves no file",
	async () => {
		using directory = temporaryDirectory("bare");
		const { code, stdout, stderr, written } = await runInBareRoot({ directory, program: await builtProbe(host), args: [] });
		expect({ code, stderr, written }).toEqual({ code: 0, stderr: "", written: [] });
		const found = JSON.parse(stdout);
		expect(found.libbpf).toMatch(/^1\.\d+$/);
		expect(found.manifest.needs).toMatch(/^glibc 2\.\d+$/);
		expect(found.opened.libbpfPath).toStartWith("/proc/self/fd/");
		// A worker started anew is given the same files.
		expect(found.again).toEqual(found.opened);
		expect(found.objects.map(({ name }: { name: string }) => name)).toContain("exec");
	},
	deadline,
);

testNeeding(
	["root", "kernel"],
	"tapio-agent shows kernel events on a machine that has only a C library, and writes to its state folder alone",
	async () => {
		using directory = temporaryDirectory("bare");
		const root = await startInBareRoot({ directory, program: agent, args: ["run", "--set", "orchestrator.state_dir=/empty/state"] });
		await waitUntil(
			"an exec is shown",
			async () => {
				await Bun.spawn(["true"]).exited;
				return /process\.exec/.test(root.stdout());
			},
			20_000,
		);
		root.terminate();
		const { code, stderr, written } = await root.ended;
		expect(stderr).toMatch(/systemd: off, .*libsystemd/);
		expect(stderr).toContain("kernel: on");
		expect(code).toBe(0);
		expect(written.filter((file) => !file.startsWith("./empty/state"))).toEqual([]);
	},
	deadline,
);

testNeeding(
	["root", "journal"],
	"tapio-agent finds the libsystemd of the node",
	async () => {
		using directory = temporaryDirectory("bare");
		const args = ["run", "--set", "orchestrator.state_dir=/empty/state"];
		const root = await startInBareRoot({ directory, program: agent, libraries: ["libsystemd.so.0"], args });
		const said = () => Bun.file(directory.join("stderr")).text();
		await waitUntil("the agent speaks of the journal", async () => /systemd: /.test(await said()), 20_000);
		root.terminate();
		const { stderr, before } = await root.ended;
		expect(before.some((file) => file.endsWith("/libsystemd.so.0"))).toBe(true);
		expect(stderr).not.toContain("libsystemd");
	},
	deadline,
);

testNeeding(
	"root",
	"tapio-agent runs no code of its working directory",
	async () => {
		using directory = temporaryDirectory("bare");
		const files = {
			"bunfig.toml": 'preload = ["./evil.ts"]\n',
			"evil.ts": 'console.log("evil was here"); process.exit(3);\n',
			".env": "TAPIO_ORCHESTRATOR__LOG_LEVEL=nonsense\n",
			"tsconfig.json": "{ nonsense",
			"package.json": "{ nonsense",
		};
		const result = await runInBareRoot({ directory, program: agent, files, args: ["--version"] });
		expect(result.before).toContain("./bunfig.toml");
		expect(result.stdout + result.stderr).not.toContain("evil");
		expect(result.stdout + result.stderr).not.toContain("nonsense");
		expect(result.code).toBe(0);
	},
	deadline,
);
