import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Paths of PEM files for one test: an authority, and what it signed. */
export interface Certificates {
	readonly ca: string;
	readonly serverCert: string;
	readonly serverKey: string;
	readonly clientCert: string;
	readonly clientKey: string;
	/** Another authority, which signed nothing here. */
	readonly otherCa: string;
}

/** Makes certificates for 127.0.0.1 and localhost in `directory` with openssl, valid for a day. Throws where openssl fails. */
export function makeCertificates(directory: string): Certificates {
	const path = (name: string) => join(directory, name);
	const authority = (name: string) => {
		openssl(["req", "-x509", ...key, "-keyout", path(`${name}.key`), "-out", path(`${name}.pem`), "-days", "1", "-subj", `/CN=${name}`]);
		return path(`${name}.pem`);
	};
	const ca = authority("authority");
	const sign = (name: string, usage: string, names: string) => {
		const extensions = path(`${name}.ext`);
		writeFileSync(extensions, `subjectAltName=${names}\nextendedKeyUsage=${usage}\n`);
		openssl(["req", ...key, "-keyout", path(`${name}.key`), "-out", path(`${name}.csr`), "-subj", `/CN=${name}`]);
		openssl([
			"x509",
			"-req",
			"-in",
			path(`${name}.csr`),
			"-CA",
			ca,
			"-CAkey",
			path("authority.key"),
			"-CAcreateserial",
			"-days",
			"1",
			"-extfile",
			extensions,
			"-out",
			path(`${name}.pem`),
		]);
	};
	sign("server", "serverAuth", "IP:127.0.0.1,DNS:localhost");
	sign("client", "clientAuth", "DNS:client");
	return {
		ca,
		serverCert: path("server.pem"),
		serverKey: path("server.key"),
		clientCert: path("client.pem"),
		clientKey: path("client.key"),
		otherCa: authority("other"),
	};
}

const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

function openssl(args: readonly string[]): void {
	const run = Bun.spawnSync(["openssl", ...args]);
	if (run.exitCode !== 0) throw new Error(`openssl ${args[0]}: ${run.stderr.toString()}`);
}
