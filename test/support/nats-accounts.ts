import { nkeys } from "@nats-io/transport-node";

type KeyPair = ReturnType<typeof nkeys.createUser>;

const encoder = new TextEncoder();

/** A user that signs with its own key. */
export interface NkeyUser {
	readonly publicKey: string;
	readonly seed: string;
}

/** Makes a user key. */
export function makeNkeyUser(): NkeyUser {
	const pair = nkeys.createUser();
	return { publicKey: pair.getPublicKey(), seed: new TextDecoder().decode(pair.getSeed()) };
}

/** Configuration of a server that trusts an operator, and the credentials file of a user of its only account, which has JetStream. */
export function makeOperator(expires?: number): { readonly config: string; readonly creds: string } {
	const operator = nkeys.createOperator();
	const account = nkeys.createAccount();
	const system = nkeys.createAccount();
	const user = nkeys.createUser();
	const limits = { subs: -1, data: -1, payload: -1 };
	const accountLimits = { ...limits, imports: -1, exports: -1, wildcards: true, conn: -1, leaf: -1 };
	const accountJwt = (pair: KeyPair, name: string, more: object) =>
		jwt(operator, pair.getPublicKey(), name, {
			limits: { ...accountLimits, ...more },
			default_permissions: { pub: {}, sub: {} },
			type: "account",
			version: 2,
		});
	const operatorJwt = jwt(operator, operator.getPublicKey(), "operator", { type: "operator", version: 2, system_account: system.getPublicKey() });
	const userJwt = jwt(account, user.getPublicKey(), "node", { pub: {}, sub: {}, ...limits, type: "user", version: 2 }, expires);
	const disk = 4 * 2 ** 30;
	const config = `operator: ${operatorJwt}
system_account: ${system.getPublicKey()}
resolver: MEMORY
resolver_preload: {
	${account.getPublicKey()}: ${accountJwt(account, "tapio", { mem_storage: -1, disk_storage: disk, streams: -1, consumer: -1 })}
	${system.getPublicKey()}: ${accountJwt(system, "system", {})}
}`;
	const seed = new TextDecoder().decode(user.getSeed());
	const creds = `-----BEGIN NATS USER JWT-----\n${userJwt}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n${seed}\n------END USER NKEY SEED------\n`;
	return { config, creds };
}

/** A JSON web token as NATS signs it: Ed25519 by the issuer's key, its id the hash of its claims. */
function jwt(issuer: KeyPair, subject: string, name: string, nats: object, expires?: number): string {
	const claims = {
		jti: "",
		iat: 1_700_000_000,
		iss: issuer.getPublicKey(),
		name,
		sub: subject,
		nats,
		...(expires === undefined ? {} : { exp: expires }),
	};
	const id = new Bun.CryptoHasher("sha512-256").update(JSON.stringify(claims)).digest("hex");
	const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
	const text = `${part({ typ: "JWT", alg: "ed25519-nkey" })}.${part({ ...claims, jti: id })}`;
	return `${text}.${Buffer.from(issuer.sign(encoder.encode(text))).toString("base64url")}`;
}
