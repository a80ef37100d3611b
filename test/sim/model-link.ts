import { assert } from "../../src/base/assert.ts";
import { OperatingError } from "../../src/base/errors.ts";
import { bytes } from "../../src/base/units.ts";
import type { Epoch, LaneConnection, LaneLink, OutgoingMessage } from "../../src/sinks/nats/epoch.ts";
import type { World } from "./world.ts";

/** A link whose connections are those of a network on which anything goes wrong. */
export function modelLink(world: World): LaneLink {
	let epoch: (Epoch & { connection: ModelConnection }) | undefined;
	return {
		timing: { acknowledgeMs: 10, backoffMinMs: 1, backoffMaxMs: 10 },
		async current() {
			world.step();
			if (epoch?.connection.alive !== true) {
				world.time += world.random.below(200);
				epoch = { connection: new ModelConnection(world) };
				world.tell("network: connected");
			}
			return epoch;
		},
		failed(over) {
			if (over === epoch) epoch.connection.alive = false;
		},
		succeeded: () => undefined,
		messageBytesMax: () => bytes(1_000_000),
	};
}

/** A connection on which anything may go wrong that may go wrong on a network. */
class ModelConnection implements LaneConnection {
	readonly pendingBytes = 0;
	alive = true;
	readonly #world: World;

	constructor(world: World) {
		this.#world = world;
	}

	async lastBatch() {
		this.#step();
		const { stream, tell } = this.#world;
		this.#lose(0.1, "The answer about the last batch was lost");
		const last = stream.messages.at(-1);
		tell(`stream: the last batch is ${last === undefined ? "unknown" : `${last.number}, events to ${last.sequence}`}`);
		return last;
	}

	async isRemoved(_stream: string, streamSequence: number) {
		this.#step();
		this.#lose(0.1, "The answer about a message was lost");
		return !this.#world.stream.messages.some((message) => message.streamSequence === streamSequence);
	}

	async request(_subject: string, { headers, body }: OutgoingMessage) {
		this.#step();
		const world = this.#world;
		const { stream, late, tell } = world;
		const copies = [headers.slice(), body.slice()] as const;
		const arrive = () => {
			const reply = stream.take(copies[0], copies[1], world.time);
			tell(`stream: ${new TextDecoder().decode(copies[1])}: ${new TextDecoder().decode(reply.data)}`);
			return reply;
		};
		const id = /^Nats-Msg-Id: (.*)$/m.exec(new TextDecoder().decode(headers))?.[1]?.trim() ?? "";
		world.note(id, new TextDecoder().decode(body));
		this.#lose(0.05, "The message was lost");
		if (world.fault(0.1)) late.push(arrive);
		if (late.includes(arrive)) this.#lost("The message is on its way");
		stream.full = world.fault(0.05);
		const reply = arrive();
		stream.full = false;
		this.#lose(0.1, "The answer was lost");
		world.step();
		return reply;
	}

	publish(): void {
		assert(false, "A lane of JetStream awaits its acknowledgements");
	}

	flush(): Promise<void> {
		return Promise.reject(new OperatingError("nats_timeout", "Lost"));
	}

	/** Between any two steps time passes, late bytes arrive, and old messages expire. */
	#step(): void {
		const world = this.#world;
		const { late, random, stream } = world;
		world.step();
		world.time += random.below(20);
		while (late.length > 0 && random.chance(0.3)) late.splice(random.below(late.length), 1)[0]?.();
		if (world.plan.forgets && stream.messages.length > 1 && world.fault(0.02)) {
			const lost = 1 + random.below(Math.min(4, stream.messages.length - 1));
			world.tell(`stream: the server loses its newest ${lost} messages`);
			stream.goBack(lost);
			// What it had not read is gone with it, and its sequences begin again from there: a late message would fit where another one stood.
			late.length = 0;
			this.#lost("The server went down");
		}
		if (!world.fault(0.02)) return;
		const known = stream.messages.filter(({ number }) => number <= world.acknowledged).length;
		// An empty subject has the guard 0 again, which a message had that was sent when it was empty before: retention is longer than any byte is late.
		const keepsOne = world.isForgetful || late.length > 0;
		const count = random.below(1 + (keepsOne ? Math.max(0, known - 1) : known));
		world.tell(`stream: the oldest ${count} messages expire`);
		stream.expire(count);
	}

	#lose(probability: number, what: string): void {
		if (this.#world.fault(probability)) this.#lost(what);
	}

	#lost(what: string): never {
		this.#world.tell(`network: ${what}`);
		throw new OperatingError("nats_timeout", what);
	}
}
