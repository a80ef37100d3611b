import { expect, test } from "bun:test";
import { headers, MsgHdrsImpl } from "@nats-io/transport-node";
import fc from "fast-check";
import { readReply } from "./reply.ts";

function read(text: string, code?: number) {
	const message = { data: new TextEncoder().encode(text), ...(code === undefined ? {} : { headers: headers(code, "No Responders") }) };
	return readReply(message, "TAPIO");
}

function refusalOf(text: string, code?: number): string {
	const reply = read(text, code);
	return reply.kind === "refused" || reply.kind === "too_large" ? `${reply.kind} ${reply.error.code}` : reply.kind;
}

test("readReply() tells apart what a stream says", () => {
	expect(read('{"stream":"TAPIO","seq":7}')).toEqual({ kind: "stored", streamSequence: 7 });
	expect(read('{"stream":"TAPIO","seq":7,"domain":"hub"}')).toEqual({ kind: "stored", streamSequence: 7 });
	expect(read('{"stream":"TAPIO","seq":7,"duplicate":true}')).toEqual({ kind: "duplicate", streamSequence: 7 });
	expect(read('{"stream":"TAPIO","seq":0,"duplicate":true}')).toEqual({ kind: "duplicate", streamSequence: 0 });
	for (const code of [10071, 10164])
		expect(read(`{"error":{"code":400,"err_code":${code},"description":"wrong last sequence: 3"}}`)).toEqual({ kind: "moved" });
	expect(refusalOf('{"error":{"code":400,"err_code":10054,"description":"x"}}')).toBe("too_large batch_too_large");
	expect(refusalOf('{"error":{"code":503,"err_code":10077,"description":"x"}}')).toBe("refused nats_stream_full");
	expect(refusalOf('{"error":{"code":503,"err_code":10023,"description":"x"}}')).toBe("refused nats_stream_full");
	expect(refusalOf('{"error":{"code":400,"err_code":10060,"description":"x"}}')).toBe("refused nats_subject_taken");
	expect(refusalOf('{"error":{"code":500,"err_code":99999,"description":"x"}}')).toBe("refused nats_refused_batch");
	expect(refusalOf("", 503)).toBe("refused nats_no_stream");
});

test("readReply() takes nothing for an acknowledgement that is none", () => {
	for (const text of [
		"",
		"+OK",
		"null",
		"7",
		"[]",
		"{}",
		'{"seq":7}',
		'{"stream":"TAPIO"}',
		'{"stream":"OTHER","seq":7}',
		'{"stream":"TAPIO","seq":"7"}',
	]) {
		expect(refusalOf(text)).toBe("refused nats_refused_batch");
	}
	fc.assert(fc.property(fc.json(), (text) => expect(refusalOf(text)).toBe("refused nats_refused_batch")));
});

test("readReply() reads headers as the library decodes them", () => {
	const decoded = MsgHdrsImpl.decode(new TextEncoder().encode("NATS/1.0 503\r\n\r\n"));
	const reply = readReply({ data: new Uint8Array(0), headers: decoded }, "TAPIO");
	expect(reply.kind).toBe("refused");
});
