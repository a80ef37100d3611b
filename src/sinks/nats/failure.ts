import { AuthorizationError, TimeoutError, UserAuthenticationExpiredError } from "@nats-io/transport-node";
import { OperatingError } from "../../base/errors.ts";
import type { ServerUrl } from "./server-url.ts";
import type { NatsTransport } from "./transport.ts";

/** Codes of failures that waiting does not mend: a person has to change something. Everything else may pass. */
const forPerson: ReadonlySet<string> = new Set([
	"nats_authorization",
	"nats_certificate_missing",
	"nats_credentials",
	"nats_greeting",
	"nats_jetstream",
	"nats_permission",
	"nats_stream_absent",
	"nats_stream_refused",
	"nats_subject_taken",
	"nats_tls",
	"nats_tls_absent",
	"nats_tls_untrusted",
	"two_writers",
]);

/** True where a person has to act. The sink tries again all the same, because the person may act at the server. */
export function needsPerson(error: unknown): boolean {
	return error instanceof OperatingError && forPerson.has(error.code);
}

/** Failures that another connection does not mend, and that whoever drives the lane has to hear of. */
const forCaller: ReadonlySet<string> = new Set(["two_writers", "nats_cursor"]);

/** True where a lane cannot go on by itself, and its driver is told. */
export function stopsLane(error: OperatingError): boolean {
	return forCaller.has(error.code);
}

/** Any failure as an OperatingError. */
export function operatingError(error: unknown): OperatingError {
	if (error instanceof OperatingError) return error;
	if (error instanceof TimeoutError) return new OperatingError("nats_timeout", "The server did not answer in time", { cause: error });
	return new OperatingError("nats_error", "The NATS connection failed", { cause: error });
}

/** Says why a connection could not be made, in words that lead on. No credentials appear. */
export function explainConnectFailure(error: unknown, server: ServerUrl, transport: NatsTransport | undefined, credentials: boolean): OperatingError {
	const step = `Connect to ${server.shown}`;
	const wrap = (code: string, message: string, hint: string) => new OperatingError(code, `${step}: ${message}`, { cause: undefined, hint });
	if (error instanceof UserAuthenticationExpiredError)
		return wrap("nats_authorization", "the credentials have expired", "issue new ones for this node");
	if (error instanceof AuthorizationError) {
		return credentials
			? wrap("nats_authorization", "the server refuses these credentials, Authorization Violation", "check user, password, token or key in nats")
			: wrap("nats_authorization", "the server wants credentials, Authorization Violation", "set nats.auth_enabled and the credentials");
	}
	const cause = transport?.closeError ?? error;
	if (cause instanceof OperatingError && cause.code !== "nats_closed")
		return wrap(cause.code, lower(cause.message), cause.hint ?? "see the server's log");
	const code = errorCode(cause) ?? errorCode(error);
	switch (transport?.stage) {
		case "tls":
			return explainTls(cause, code, wrap);
		case "login":
			return wrap(
				transport.certificateWanted ? "nats_tls" : "nats_closed",
				"the connection ended during the login",
				transport.certificateWanted
					? "the server wants a client certificate that its authority signed: check nats.tls.cert and nats.tls.key"
					: "see the server's log",
			);
		case "greeting":
			return wrap(
				"nats_timeout",
				"the connection stands, and no greeting came",
				"the server is stalled, or waits for TLS before it says anything (handshake_first), or is no NATS server",
			);
		default:
			return explainDial(cause, code, wrap);
	}
}

type Wrap = (code: string, message: string, hint: string) => OperatingError;

function explainTls(cause: unknown, code: string | undefined, wrap: Wrap): OperatingError {
	const text = cause instanceof Error ? cause.message : "";
	if (code === "ERR_TLS_CERT_ALTNAME_INVALID")
		return wrap("nats_tls_untrusted", "the certificate is for another name", "use the name in the certificate");
	if (code !== undefined && /CERT|SIGNATURE|ISSUER|CHAIN/.test(code)) {
		return wrap("nats_tls_untrusted", `the server's certificate is not trusted, ${code}`, "set nats.tls.ca to the authority that signed it");
	}
	return wrap(
		"nats_tls",
		`TLS failed (${code ?? (text === "" ? "no reason given" : text)})`,
		"the two sides want different TLS: check nats.tls and the server's tls block",
	);
}

function explainDial(cause: unknown, code: string | undefined, wrap: Wrap): OperatingError {
	switch (code) {
		case "ECONNREFUSED":
			return wrap("nats_refused", "connection refused", "is nats-server running there, and is the port right");
		case "ENOTFOUND":
		case "EAI_AGAIN":
		case "EAI_NODATA":
		case "ENODATA":
		case "DNS_ENOTFOUND":
			return wrap("nats_name", "the name is not known", "check the host in nats.url and the resolver of this machine");
		case "ENETUNREACH":
		case "EHOSTUNREACH":
			return wrap("nats_unreachable", "no way there", "check the network and the firewall");
		default:
			if (cause instanceof TimeoutError)
				return wrap("nats_timeout", "no answer", "check the network and the firewall, and that the server is not stalled");
			return wrap(
				"nats_error",
				code ?? (cause instanceof Error && cause.message !== "" ? cause.message : "the connection failed"),
				"see the server's log",
			);
	}
}

function errorCode(error: unknown): string | undefined {
	return typeof error === "object" && error !== null && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

function lower(message: string): string {
	return message.slice(0, 1).toLowerCase() + message.slice(1);
}
