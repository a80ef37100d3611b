import { kernelConfigSchema } from "../../src/collectors/kernel/config.ts";
import { systemdConfigSchema } from "../../src/collectors/systemd/config.ts";
import type { FlagSetting, LoadRequest } from "../../src/config/load.ts";
import type { CollectorSection } from "../../src/config/schema.ts";

/** The collectors of the tests' build. */
export const sections: readonly CollectorSection[] = [
	{ name: "systemd", summary: "The journal.", config: systemdConfigSchema },
	{ name: "kernel", summary: "The kernel.", config: kernelConfigSchema },
];

/** What a test says of a configuration; everything else is empty. */
export interface ConfigInput {
	/** The user's file. */
	readonly file?: string | undefined;
	/** The system's file. */
	readonly system?: string | undefined;
	readonly variables?: Readonly<Record<string, string>>;
	/** Values by key with dots, as --set gives them. */
	readonly set?: Readonly<Record<string, string>>;
}

/** A request whose files are these texts, named user.yaml and system.yaml, on a host named host-1. */
export function configRequest({ file, system, variables = {}, set = {} }: ConfigInput): LoadRequest {
	const texts = new Map([
		["user.yaml", file],
		["system.yaml", system],
	]);
	const flags = Object.entries(set).map(([key, text]): FlagSetting => ({ flag: `--set ${key}`, path: key.split("."), text }));
	return {
		collectors: sections,
		file: file === undefined ? undefined : "user.yaml",
		systemFile: "system.yaml",
		variables,
		flags,
		hostName: "host-1",
		read(path) {
			const text = texts.get(path);
			return text === undefined ? undefined : new TextEncoder().encode(text);
		},
	};
}
