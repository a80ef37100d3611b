import type { Check } from "./check.ts";

/** Folders that only some machines have, in parts so that this file does not hold them. */
const foreignFolders = ["work", "root", "home/\\w+", "Users/\\w+", "workspace", "mnt/\\w+"];
const foreignPath = new RegExp(`(?<![\\w.$}/~*-])/(?:${foreignFolders.join("|")})/[\\w.]`, "g");
/** Where the lock file may point: nowhere, or to the public registry. */
const publicRegistry = "https://registry.npmjs.org/";
const textFile = /\.(?:ts|c|h|json|jsonc|ya?ml|md|toml|service|txt|html|css)$|^(?:scripts|\.ci)\/[\w-]+$|\/Containerfile$/;

/** Licences, and what must not leave the machine it was written on. */
export const paperChecks: readonly Check[] = [
	{
		name: "Kernel programs carry the GPL, everything else falls under the Apache licence",
		breaches: [
			{ "bpf/a.bpf.c": "int x;\n", "bpf/LICENSE": "GNU GENERAL PUBLIC LICENSE", LICENSE: "Apache License Version 2.0" },
			{ "bpf/a.h": "// SPDX-License-Identifier: Apache-2.0\n", "bpf/LICENSE": "GNU GENERAL PUBLIC LICENSE", LICENSE: "Apache License Version 2.0" },
			{ "bpf/a.h": "// SPDX-License-Identifier: GPL-2.0\n", LICENSE: "Apache License Version 2.0" },
			{ "bpf/a.h": "// SPDX-License-Identifier: GPL-2.0\n", "bpf/LICENSE": "GNU GENERAL PUBLIC LICENSE" },
			{
				"bpf/a.h": "// SPDX-License-Identifier: GPL-2.0\n",
				"bpf/LICENSE": "GNU GENERAL PUBLIC LICENSE",
				LICENSE: "Apache License Version 2.0",
				"src/ring/a.ts": "// SPDX-License-Identifier: GPL-2.0\n",
			},
		],
		kept: {
			"bpf/include/a.h": "/* SPDX-License-Identifier: GPL-2.0-only */\n",
			"bpf/a.bpf.c": "// SPDX-License-Identifier: GPL-2.0\n",
			"bpf/LICENSE": "GNU GENERAL PUBLIC LICENSE",
			LICENSE: "Apache License Version 2.0",
		},
		inspect({ files }) {
			const programs = files.filter(({ path }) => /^bpf\/.*\.[ch]$/.test(path) && !/vmlinux/.test(path));
			const findings = programs
				.filter(({ text }) => !/^(?:\/\/|\/\*) SPDX-License-Identifier: GPL-2\.0/.test(text))
				.map(({ path }) => `${path}: begins without "// SPDX-License-Identifier: GPL-2.0"`);
			const licences: readonly (readonly [string, RegExp])[] = [
				["LICENSE", /Apache License\s+Version 2\.0/],
				["bpf/LICENSE", /GNU GENERAL PUBLIC LICENSE/],
			];
			for (const [path, wanted] of licences) {
				if (!files.some((file) => file.path === path && wanted.test(file.text)))
					findings.push(`${path}: is missing, or not the licence it should be`);
			}
			const foreign = files.filter(
				({ path, text }) => /^(?:src|scripts)\/.*\.ts$/.test(path) && /^\/[/*] SPDX-License-Identifier: (?!Apache-2\.0)/m.test(text),
			);
			findings.push(...foreign.map(({ path }) => `${path}: names another licence than Apache-2.0`));
			return { looked: programs.length, findings };
		},
	},
	{
		name: "No path of one machine and no private registry",
		breaches: [
			{ "src/ring/a.ts": `const path = "/${"wor"}k/main";` },
			{ "README.md": `Look at /${"roo"}t/notes.` },
			{ "scripts/run": `cd /${"hom"}e/somebody/agent` },
			{ "package-lock.json": '{ "resolved": "https://registry.example.internal/x.tgz" }' },
			{ ".npmrc": "fund=false" },
		],
		kept: {
			"src/ring/a.ts": 'const path = "/run/work/x"; const home = "src/work/a"; const url = "https://example.org/work/x";',
			"package-lock.json": `{ "resolved": "${publicRegistry}x.tgz", "homepage": "https://example.org" }`,
		},
		inspect({ files }) {
			const texts = files.filter(({ path }) => textFile.test(path));
			const findings = texts.flatMap(({ path, text }) => [...text.matchAll(foreignPath)].map((match) => `${path}: names ${match[0]}…`));
			for (const { path, text } of files) {
				if (path === ".npmrc") findings.push(".npmrc: where packages come from is the user's choice");
				if (path !== "package-lock.json") continue;
				const hosts = [...text.matchAll(/"resolved":\s*"([^"]+)"/g)]
					.map((match) => match[1] ?? "")
					.filter((address) => !address.startsWith(publicRegistry));
				findings.push(...new Set(hosts.map((address) => `package-lock.json: points to ${address}`)));
			}
			return { looked: texts.length, findings };
		},
	},
	{
		name: "The lock file names the optional packages of every platform",
		breaches: [{ "package-lock.json": '{ "packages": { "node_modules/a": { "optionalDependencies": { "a-linux": "1.0.0" } } } }' }],
		kept: {
			"package-lock.json":
				'{ "packages": { "node_modules/a": { "optionalDependencies": { "b": "1.0.0", "c": "1.0.0" } }, "node_modules/b": {}, "node_modules/a/node_modules/c": {} } }',
		},
		inspect({ files }) {
			const optional = files.filter(({ path }) => path === "package-lock.json").flatMap(({ text }) => optionalOf(text));
			const findings = optional
				.filter(({ locked }) => !locked)
				.map(({ name, of }) => `package-lock.json: ${name} of ${of} is missing, and npm ci refuses it`);
			return { looked: optional.length, findings };
		},
	},
	{
		name: "Versions are pinned",
		breaches: [
			{ "package.json": '{ "dependencies": { "a": "^1.0.0" } }' },
			{ "package.json": '{ "devDependencies": { "a": "latest" } }' },
			{ "package.json": '{ "dependencies": { "a": "1.x" } }' },
		],
		kept: { "package.json": '{ "dependencies": { "a": "1.0.0" }, "devDependencies": { "b": "2.0.0-rc.1" } }' },
		inspect({ files }) {
			const versions = files.filter(({ path }) => path === "package.json").flatMap(({ text }) => dependenciesOf(text));
			const findings = versions
				.filter(([, version]) => !/^\d+\.\d+\.\d+(?:-[\w.]+)?$/.test(version))
				.map(([name, version]) => `package.json: ${name} is ${version}: name one version`);
			return { looked: versions.length, findings };
		},
	},
];

function dependenciesOf(text: string): [string, string][] {
	const manifest: Record<string, Record<string, string> | undefined> = JSON.parse(text);
	return ["dependencies", "devDependencies"].flatMap((section) => Object.entries(manifest[section] ?? {}));
}

/** Every optional package that a lock file speaks of, and whether it is locked itself: next to its user or above it. */
function optionalOf(text: string): { name: string; of: string; locked: boolean }[] {
	const { packages }: { packages: Record<string, { optionalDependencies?: Record<string, string> }> } = JSON.parse(text);
	return Object.entries(packages).flatMap(([of, { optionalDependencies = {} }]) =>
		Object.keys(optionalDependencies).map((name) => ({
			name,
			of,
			locked: `node_modules/${name}` in packages || `${of}/node_modules/${name}` in packages,
		})),
	);
}
