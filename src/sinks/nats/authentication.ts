import {
	type Authenticator,
	credsAuthenticator,
	nkeyAuthenticator,
	tokenAuthenticator,
	usernamePasswordAuthenticator,
} from "@nats-io/transport-node";
import { OperatingError } from "../../base/errors.ts";
import type { NatsAuthentication, NatsTls } from "./options.ts";
import type { ServerUrl } from "./server-url.ts";
import type { TlsMaterial } from "./transport.ts";

/** Reads a small text file. Rejects with what the system says. */
export type ReadText = (path: string) => Promise<string>;

/**
 * Who the agent is on this server: what is configured, else what the URL holds. Undefined for nobody.
 * Rejects with OperatingError "nats_credentials" where a file cannot be read or holds something else.
 */
export async function readAuthenticator(authentication: NatsAuthentication, server: ServerUrl, read: ReadText): Promise<Authenticator | undefined> {
	switch (authentication.kind) {
		case "none":
			if (server.user === undefined) return undefined;
			return server.password === undefined ? tokenAuthenticator(server.user) : usernamePasswordAuthenticator(server.user, server.password);
		case "password":
			return usernamePasswordAuthenticator(authentication.username, authentication.password);
		case "token":
			return tokenAuthenticator(authentication.token);
		case "nkey":
			return await nkey(authentication, read);
		case "creds":
			return checked(credsAuthenticator(new TextEncoder().encode(await readFile(read, authentication.file, "credentials"))), authentication.file);
	}
}

/** Reads the PEM files of this connection. Rejects with OperatingError "nats_credentials". */
export async function readTls(tls: NatsTls | undefined, server: ServerUrl, read: ReadText): Promise<TlsMaterial | undefined> {
	if (tls === undefined) return server.tls ? { handshakeFirst: false } : undefined;
	const [ca, cert, key] = await Promise.all([
		tls.ca === undefined ? undefined : readFile(read, tls.ca, "authority"),
		tls.cert === undefined ? undefined : readFile(read, tls.cert, "certificate"),
		tls.key === undefined ? undefined : readFile(read, tls.key, "key"),
	]);
	return {
		...(ca === undefined ? {} : { ca }),
		...(cert === undefined ? {} : { cert }),
		...(key === undefined ? {} : { key }),
		handshakeFirst: tls.handshakeFirst ?? false,
	};
}

async function nkey(authentication: { readonly seed?: string; readonly seedFile?: string }, read: ReadText): Promise<Authenticator> {
	const { seedFile } = authentication;
	const text = authentication.seed ?? (seedFile === undefined ? "" : await readFile(read, seedFile, "nkey"));
	// A seed file may begin with comments and end with an empty line, as nsc and nk write it.
	const seed = /^\s*(SU[A-Z2-7]{56})\s*$/m.exec(text)?.[1];
	if (seed === undefined) {
		throw new OperatingError("nats_credentials", `No user seed in ${seedFile ?? "nats.nkey"}`, {
			hint: "a user seed begins with SU and has 58 characters",
		});
	}
	return checked(nkeyAuthenticator(new TextEncoder().encode(seed)), seedFile ?? "nats.nkey");
}

/** Tries an authenticator once, because nats.js closes without a reason when one throws during the login. */
function checked(authenticator: Authenticator, name: string): Authenticator {
	try {
		authenticator("probe");
	} catch {
		// The cause is left out: it may quote what it could not read.
		throw new OperatingError("nats_credentials", `The credentials in ${name} cannot be used`, {
			hint: "the file holds something else, or is damaged",
		});
	}
	return authenticator;
}

async function readFile(read: ReadText, path: string, what: string): Promise<string> {
	try {
		return await read(path);
	} catch (cause) {
		throw new OperatingError("nats_credentials", `Read the NATS ${what} file ${path}`, {
			cause,
			hint: "check the path, and that the agent may read it",
		});
	}
}
