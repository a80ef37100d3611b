import { expect } from "bun:test";
import { jetstreamManager } from "@nats-io/jetstream";
import { Agent, type AgentEnd } from "../support/agent.ts";
import { makeCertificates } from "../support/certificates.ts";
import { delivered, deliveredUpTo, expectSame, numbersOf, readEvents } from "../support/cloud-events.ts";
import { expectAccount } from "../support/expect-account.ts";
import { ordinaryEntries, writeJournal } from "../support/journal-files.ts";
import { NatsServer } from "../support/nats-server.ts";
import { type NodeConfig, writeNodeConfig } from "../support/node-config.ts";
import { testNeeding } from "../support/requires.ts";
import { type TemporaryDirectory, temporaryDirectory } from "../support/temporary-directory.ts";
import { waitUntil } from "../support/wait-until.ts";

const limit = 60_000;
const entries = 200;
const subject = "tapio.events.test.systemd";
const numbers = Array.from({ length: entries }, (_, index) => index);

const faults = (name: string, body: () => Promise<void>) => testNeeding(["journal", "nats"], name, body, limit);

/** A folder with a small journal. */
async function journalIn(directory: TemporaryDirectory): Promise<string> {
	const journal = directory.join("journal");
	await writeJournal(journal, ordinaryEntries(entries));
	return journal;
}

/** Runs an agent in front of a server that refuses it until its log holds `text`, ends it, and gives the health it had. */
async function refused(config: NodeConfig, text: string, options: { secret?: string; arguments?: readonly string[] } = {}): Promise<AgentEnd> {
	using directory = temporaryDirectory();
	const journal = await journalIn(directory);
	const settings = { orchestrator: "shutdown_timeout: 1s\nlog_level: debug", ...config, journal };
	await using agent = new Agent({ arguments: [...writeNodeConfig(directory, settings), ...(options.arguments ?? [])] });
	await agent.says(text);
	await agent.says("Health changed.");
	const end = await agent.stop();
	expect(end.status).toBe(0);
	// The journal waits for a sink that says where it stands, and loses nothing.
	expectAccount(end.ledger["systemd"], { received: 0, published: 0, dropped: {}, inFlight: 0 });
	expect(end.health["systemd"]?.status).not.toBe("healthy");
	if (options.secret !== undefined) expect(end.stderr + end.stdout).not.toContain(options.secret);
	return end;
}

faults("agent whose server is not there says so, and delivers everything when it appears", async () => {
	using directory = temporaryDirectory();
	await using server = await NatsServer.start({ started: false });
	const journal = await journalIn(directory);
	await using agent = new Agent({ arguments: writeNodeConfig(directory, { natsUrl: server.url, journal }) });
	await agent.says("connection refused");
	await agent.says("is nats-server running there");
	await server.start();
	await agent.says("Connected to NATS.", 40_000);
	await delivered(server, subject, entries);
	const end = await agent.stop();
	expect(end.health["nats"]).toMatchObject({ status: "healthy" });
	expectSame(numbersOf(await readEvents(server, subject)), numbers);
});

faults("agent with a wrong password says what to check, and shows it nowhere, at any level", async () => {
	await using server = await NatsServer.start({ config: 'authorization { users = [{ user: "agent", password: "right" }] }' });
	const password = "wrong-password-4711";
	const nats = `auth_enabled: true, username: agent, password: "${password}"`;
	const end = await refused({ natsUrl: server.url, nats }, "Authorization Violation", { secret: password });
	expect(end.health["nats"]).toMatchObject({ status: "unhealthy" });
	expect(end.health["nats"]?.message).toContain("check user, password");
	const inUrl = `nats://agent:${password}@127.0.0.1:${server.port}`;
	const other = await refused({ natsUrl: inUrl }, "nats://***@127.0.0.1", { secret: password });
	expect(other.health["nats"]?.message).toContain("Authorization Violation");
});

faults("agent and server that disagree about TLS: each way says which side wants what", async () => {
	using directory = temporaryDirectory();
	const paths = makeCertificates(directory.path);
	const tls = `cert_file: "${paths.serverCert}", key_file: "${paths.serverKey}"`;
	await using secured = await NatsServer.start({ config: `tls { ${tls} }` });
	await using plain = await NatsServer.start();
	await using mutual = await NatsServer.start({ config: `tls { ${tls}, ca_file: "${paths.ca}", verify: true }` });
	const address = (server: NatsServer) => `tls://127.0.0.1:${server.port}`;
	const untrusted = await refused({ natsUrl: address(secured) }, "is not trusted");
	expect(untrusted.health["nats"]).toMatchObject({ status: "unhealthy" });
	expect(untrusted.health["nats"]?.message).toContain("set nats.tls.ca");
	const absent = await refused({ natsUrl: address(plain), nats: `tls: { ca: "${paths.ca}" }` }, "TLS");
	expect(absent.health["nats"]?.status).toBe("unhealthy");
	const missing = await refused({ natsUrl: address(mutual), nats: `tls: { ca: "${paths.ca}" }` }, "client certificate");
	expect(missing.health["nats"]?.message).toContain("nats.tls.cert");
	const unreadable = await refused({ natsUrl: address(secured), nats: `tls: { ca: "${directory.join("absent.pem")}" }` }, "absent.pem");
	expect(unreadable.health["nats"]?.status).toBe("unhealthy");
});

faults("agent whose server has no JetStream, or whose stream cannot be used, says what to change", async () => {
	await using core = await NatsServer.start({ jetstream: false });
	const without = await refused({ natsUrl: core.url }, "JetStream");
	expect(without.health["nats"]).toMatchObject({ status: "unhealthy" });
	await using server = await NatsServer.start();
	const client = await server.client();
	const manager = await jetstreamManager(client);
	await manager.streams.add({ name: "TAPIO", subjects: ["tapio.events.>"], retention: "workqueue" });
	const queue = await refused({ natsUrl: server.url }, "retention");
	expect(queue.health["nats"]).toMatchObject({ status: "unhealthy" });
	await manager.streams.delete("TAPIO");
	await client.close();
	const full = await refused({ natsUrl: server.url, nats: "max_reconnects: 1" }, "has no room for a stream", {
		arguments: ["--set", "orchestrator.nats.jetstream.max_bytes=1TiB"],
	});
	expect(full.health["nats"]?.message).toContain("max_bytes");
});

faults("agent keeps a node's odd name in one token of the subject, and whole everywhere else", async () => {
	for (const [node, token] of [
		["ip-10-0-0-1.eu-west-1", "ip-10-0-0-1%2Eeu-west-1"],
		["a b*c>d", "a%20b%2Ac%3Ed"],
		["kone-ä-🐟", "kone-%C3%A4-%F0%9F%90%9F"],
	] as const) {
		using directory = temporaryDirectory();
		await using server = await NatsServer.start();
		const journal = await journalIn(directory);
		await using agent = new Agent({ arguments: writeNodeConfig(directory, { natsUrl: server.url, journal, node }) });
		await delivered(server, `tapio.events.${token}.systemd`, entries);
		await agent.stop();
		const events = await readEvents(server, `tapio.events.${token}.systemd`);
		expectSame(numbersOf(events), numbers);
		expect(decodeURIComponent(events[0]?.source ?? "")).toBe(`/default/${node}/systemd`);
		const [message] = await server.read("TAPIO");
		expect(decodeURIComponent(message?.headers.get("Tapio-Node") ?? "")).toContain(node.slice(0, 4));
	}
});

faults("agent that ends while its server is away does so in time, with status 0, and the journal keeps the rest", async () => {
	using directory = temporaryDirectory();
	await using server = await NatsServer.start();
	const journal = directory.join("journal");
	const count = 60_000;
	await writeJournal(journal, ordinaryEntries(count));
	const settings = writeNodeConfig(directory, { natsUrl: server.url, journal, orchestrator: "shutdown_timeout: 2s" });
	{
		await using agent = new Agent({ arguments: settings });
		await waitUntil("some of it is delivered", async () => (await deliveredUpTo(server, subject)) > 0, 20_000);
		server.signal("SIGSTOP");
		const began = performance.now();
		const end = await agent.stop();
		expect(end.status).toBe(0);
		expect(performance.now() - began).toBeLessThan(8000);
		server.signal("SIGCONT");
	}
	await using agent = new Agent({ arguments: settings });
	await delivered(server, subject, count);
	await agent.stop();
	expectSame(
		numbersOf(await readEvents(server, subject)),
		Array.from({ length: count }, (_, index) => index),
	);
});
