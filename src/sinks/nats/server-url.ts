import { OperatingError } from "../../base/errors.ts";
import { maskUrl } from "../../base/mask.ts";

/** One server, taken apart: nothing but `shown` may reach a log or a message. */
export interface ServerUrl {
	/** `host:port`, an IPv6 address in brackets. */
	readonly address: string;
	/** True for `tls://`. */
	readonly tls: boolean;
	/** Credentials of the URL, decoded. A user without a password is a token. */
	readonly user: string | undefined;
	readonly password: string | undefined;
	/** The URL with its credentials masked. */
	readonly shown: string;
}

const defaultPort = "4222";

/** Takes a server's URL apart. Throws OperatingError "nats_url", whose message shows no credentials. */
export function parseServerUrl(text: string): ServerUrl {
	const match = /^(?:([a-z][a-z0-9+.-]*):\/\/)?(?:(.*)@)?([^@/?#]+)\/?$/i.exec(text.trim());
	const scheme = (match?.[1] ?? "nats").toLowerCase();
	const host = match?.[3];
	const hint = "write nats://host:4222 or tls://host:4222";
	if (match === null || host === undefined) throw new OperatingError("nats_url", `The NATS URL ${maskUrl(text)} cannot be read`, { hint });
	if (scheme !== "nats" && scheme !== "tls") throw new OperatingError("nats_url", `The NATS URL scheme ${scheme}:// is not spoken here`, { hint });
	const parts = /^(\[[0-9a-f:.]+\]|[^:[\]\s]+)(?::(\d{1,5}))?$/i.exec(host);
	const port = parts?.[2] ?? defaultPort;
	if (parts === null || Number(port) < 1 || Number(port) > 65_535) {
		throw new OperatingError("nats_url", `The NATS URL ${maskUrl(text)} names no host and port`, { hint });
	}
	const address = `${parts[1]}:${port}`;
	const [user, password] = credentials(match[2]);
	return { address, tls: scheme === "tls", user, password, shown: `${scheme}://${user === undefined ? "" : "***@"}${address}` };
}

/** The URLs of a list with commas between. A comma inside a password is none of them, for behind the others a scheme follows. */
export function splitUrls(list: string): string[] {
	return list.split(/,\s*(?=[a-z][a-z0-9+.-]*:\/\/)/i);
}

function credentials(text: string | undefined): [user: string | undefined, password: string | undefined] {
	if (text === undefined || text === "") return [undefined, undefined];
	const colon = text.indexOf(":");
	return colon < 0 ? [decode(text), undefined] : [decode(text.slice(0, colon)), decode(text.slice(colon + 1))];
}

function decode(text: string): string {
	try {
		return decodeURIComponent(text);
	} catch {
		// A lone percent sign is no encoding: the text means itself.
		return text;
	}
}
