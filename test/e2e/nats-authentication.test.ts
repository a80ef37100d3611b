import { expect } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { createServer } from "node:tls";
import type { NatsAuthentication, NatsTls } from "../../src/sinks/nats/options.ts";
import { makeCertificates } from "../support/certificates.ts";
import { makeNkeyUser, makeOperator } from "../support/nats-accounts.ts";
import { NatsServer } from "../support/nats-server.ts";
import { batchOf, positionOf, sinkOptions, startSink } from "../support/nats-sink.ts";
import { testNeeding } from "../support/requires.ts";

const nats = (name: string, body: () => Promise<void>) => testNeeding("nats", name, body, limitMs);
const limitMs = 40_000;
const secret = "geheim-4711:x@y/z";

let lanes = 0;

/** Sends two batches over a lane of its own, or fails. */
async function expectDelivery(url: string, authentication: NatsAuthentication, tls?: NatsTls): Promise<void> {
	await using test = startSink(sinkOptions(url, { authentication, ...(tls === undefined ? {} : { tls }) }));
	const opened = await Promise.race([
		test.open({ collector: `lane-${++lanes}`, id: `ab${lanes}` }),
		test.healthy((status) => status === "unhealthy"),
	]);
	if (typeof opened === "string") throw new Error(opened);
	for (let number = 1; number <= 2; number++) expect(await opened.send(batchOf(number), test.abort.signal)).toEqual(positionOf(number));
}

/** Health of a sink that cannot get in: unhealthy, or degraded where it may pass by itself. */
async function refusal(url: string, authentication: NatsAuthentication, tls?: NatsTls): Promise<string> {
	await using test = startSink(sinkOptions(url, { authentication, ...(tls === undefined ? {} : { tls }) }));
	const message = await test.healthy((status) => status === "unhealthy" || status === "degraded");
	const everything = message + JSON.stringify(test.log);
	expect(everything).not.toContain("geheim");
	expect(everything).not.toContain("4711");
	return `${test.sink.health().status}: ${message}`;
}

const users = `authorization { users = [{ user: "agent", password: "${secret}" }] }`;

nats("Sink logs in with user and password, from the options or from the URL", async () => {
	await using server = await NatsServer.start({ config: users });
	await expectDelivery(server.url, { kind: "password", username: "agent", password: secret });
	await expectDelivery(`nats://agent:${encodeURIComponent(secret)}@127.0.0.1:${server.port}`, { kind: "none" });
});

nats("Sink says that a password is wrong, or missing, and shows none", async () => {
	await using server = await NatsServer.start({ config: users });
	const wrong = await refusal(server.url, { kind: "password", username: "agent", password: "geheim-4711-no" });
	expect(wrong).toStartWith("unhealthy: ");
	expect(wrong).toContain("Authorization Violation");
	expect(wrong).toContain("check user, password");
	expect(await refusal(server.url, { kind: "none" })).toContain("the server wants credentials");
	const inUrl = await refusal(`nats://agent:geheim-4711-no@127.0.0.1:${server.port}`, { kind: "none" });
	expect(inUrl).toContain(`nats://***@127.0.0.1:${server.port}`);
});

nats("Sink logs in with a token", async () => {
	await using server = await NatsServer.start({ config: 'authorization { token: "geheim-4711" }' });
	await expectDelivery(server.url, { kind: "token", token: "geheim-4711" });
	await expectDelivery(`nats://geheim-4711@127.0.0.1:${server.port}`, { kind: "none" });
	expect(await refusal(server.url, { kind: "token", token: "geheim-4711-no" })).toContain("Authorization Violation");
});

nats("Sink logs in with an nkey, as text or from a file", async () => {
	const user = makeNkeyUser();
	await using server = await NatsServer.start({ config: `authorization { users = [{ nkey: "${user.publicKey}" }] }` });
	const seedFile = join(server.directory, "node.nk");
	writeFileSync(seedFile, `# the node's key\n${user.seed}\n`);
	await expectDelivery(server.url, { kind: "nkey", seed: user.seed });
	await expectDelivery(server.url, { kind: "nkey", seedFile });
	const other = await refusal(server.url, { kind: "nkey", seed: makeNkeyUser().seed });
	expect(other).toContain("Authorization Violation");
	writeFileSync(seedFile, "geheim-4711");
	expect(await refusal(server.url, { kind: "nkey", seedFile })).toContain("a user seed begins with SU");
});

nats("Sink logs in with a credentials file, and says when it cannot be used", async () => {
	const { config, creds } = makeOperator();
	await using server = await NatsServer.start({ config });
	const file = join(server.directory, "node.creds");
	writeFileSync(file, creds);
	await expectDelivery(server.url, { kind: "creds", file });
	writeFileSync(file, makeOperator().creds);
	expect(await refusal(server.url, { kind: "creds", file })).toContain("Authorization Violation");
	writeFileSync(file, "geheim-4711");
	expect(await refusal(server.url, { kind: "creds", file })).toContain("cannot be used");
	expect(await refusal(server.url, { kind: "creds", file: `${file}.none` })).toContain("node.creds.none");
});

nats("Sink reads its credentials again at each connection, so that new ones need no restart", async () => {
	const { config, creds } = makeOperator();
	await using server = await NatsServer.start({ config });
	const file = join(server.directory, "node.creds");
	writeFileSync(file, makeOperator().creds);
	await using test = startSink(sinkOptions(server.url, { authentication: { kind: "creds", file } }));
	await test.healthy((status) => status === "unhealthy");
	writeFileSync(file, creds);
	await test.healthy((status) => status === "healthy");
});

nats("Sink speaks TLS with an authority of its own, by address and by name", async () => {
	await using plain = await NatsServer.start();
	const pem = makeCertificates(plain.directory);
	await using server = await NatsServer.start({ config: `tls { cert_file: "${pem.serverCert}", key_file: "${pem.serverKey}" }` });
	const tls = { ca: pem.ca };
	await expectDelivery(server.url, { kind: "none" }, tls);
	await expectDelivery(`tls://localhost:${server.port}`, { kind: "none" }, tls);
	const untrusted = await refusal(server.url, { kind: "none" }, { ca: pem.otherCa });
	expect(untrusted).toStartWith("unhealthy: ");
	expect(untrusted).toContain("set nats.tls.ca");
	expect(await refusal(server.url, { kind: "none" })).toContain("set nats.tls.ca");
	expect(await refusal(plain.url, { kind: "none" }, tls)).toContain("does not offer TLS");
	expect(await refusal(`tls://127.0.0.1:${plain.port}`, { kind: "none" })).toContain("does not offer TLS");
	expect(await refusal(server.url, { kind: "none" }, { ca: `${pem.ca}.none` })).toContain("authority file");
});

nats("Sink speaks TLS before the greeting where it is told to", async () => {
	await using server = await NatsServer.start();
	const pem = makeCertificates(server.directory);
	const options = { cert: readFileSync(pem.serverCert), key: readFileSync(pem.serverKey) };
	// What an ingress does, and servers with handshake_first: TLS comes before any word of NATS.
	const front = createServer(options, (client) => {
		const behind = connect(server.port, "127.0.0.1");
		client.pipe(behind).pipe(client);
		for (const socket of [client, behind]) socket.on("error", () => behind.destroy());
	});
	await new Promise<void>((resolve) => front.listen(0, "127.0.0.1", resolve));
	const address = front.address();
	const port = typeof address === "object" ? address?.port : undefined;
	try {
		await expectDelivery(`nats://127.0.0.1:${port}`, { kind: "none" }, { ca: pem.ca, handshakeFirst: true });
		expect(await refusal(`nats://127.0.0.1:${port}`, { kind: "none" }, { ca: pem.otherCa, handshakeFirst: true })).toContain("set nats.tls.ca");
		expect(await refusal(`nats://127.0.0.1:${port}`, { kind: "none" }, { ca: pem.ca })).toContain("no greeting came");
	} finally {
		front.close();
	}
});

nats("Sink shows its certificate where the server wants one, and says where it has none", async () => {
	await using folder = await NatsServer.start({ started: false });
	const pem = makeCertificates(folder.directory);
	const config = `tls { cert_file: "${pem.serverCert}", key_file: "${pem.serverKey}", ca_file: "${pem.ca}", verify: true }`;
	await using server = await NatsServer.start({ config });
	await expectDelivery(server.url, { kind: "none" }, { ca: pem.ca, cert: pem.clientCert, key: pem.clientKey });
	const missing = await refusal(server.url, { kind: "none" }, { ca: pem.ca });
	expect(missing).toStartWith("unhealthy: ");
	expect(missing).toContain("the server wants a client certificate");
	expect(missing).toContain("nats.tls.cert");
	const foreign = await refusal(server.url, { kind: "none" }, { ca: pem.ca, cert: pem.otherCa, key: pem.otherCa.replace(".pem", ".key") });
	expect(foreign).toContain("certificate");
});

nats("Sink names what listens there when it is no NATS server, and when nothing does", async () => {
	using http = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("no") });
	using greeter = Bun.listen({
		port: 0,
		hostname: "127.0.0.1",
		socket: { open: (socket) => void socket.write("220 smtp ready\r\n"), data: () => undefined },
	});
	using silent = Bun.listen({ port: 0, hostname: "127.0.0.1", socket: { data: () => undefined } });
	expect(await refusal(`nats://127.0.0.1:${greeter.port}`, { kind: "none" })).toContain("no NATS server");
	expect(await refusal(`nats://127.0.0.1:${silent.port}`, { kind: "none" })).toContain("no greeting came");
	expect(await refusal(`nats://127.0.0.1:${http.port}`, { kind: "none" })).toContain("no greeting came");
	await using server = await NatsServer.start({ started: false });
	const refused = await refusal(`nats://agent:geheim-4711@127.0.0.1:${server.port}`, { kind: "none" });
	expect(refused).toStartWith("degraded: ");
	expect(refused).toContain("connection refused (is nats-server running there");
	expect(await refusal("nats://no-such-host.invalid:4222", { kind: "none" })).toContain("the name is not known");
});
