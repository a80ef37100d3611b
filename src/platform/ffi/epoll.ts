import type { Pointer } from "bun:ffi";
import { closeSync } from "node:fs";
import { assert } from "../../base/assert.ts";
import { OperatingError } from "../../base/errors.ts";
import { describeErrno, errno, libc } from "./libc.ts";
import { Memory } from "./memory.ts";

const closeOnExec = 0o2000000;
const operationAdd = 1;
const readable = 0x1;
const edgeTriggered = 0x80000000;
/** struct epoll_event: packed on x86-64 alone. */
const eventBytes = process.arch === "x64" ? 12 : 16;
/** Events taken by one {@link Epoll.acknowledge}; the rest stays for the next. */
const eventsMax = 16;

/**
 * An edge-triggered epoll: several descriptors behind one, which is readable once after each wake-up and not for as long as there is data,
 * so that a sleeper on it is not kept awake by rings that are never quite empty. One thread.
 */
export class Epoll implements Disposable {
	/** To be polled by others; readable while a wake-up is not acknowledged. */
	readonly descriptor: number;
	readonly #events = Memory.allocate(eventBytes * eventsMax);
	#open = true;

	/** Throws OperatingError "epoll". */
	constructor() {
		this.descriptor = libc.epoll_create1(closeOnExec);
		if (this.descriptor < 0) {
			const code = errno();
			throw new OperatingError("epoll", `Create an epoll: ${describeErrno(code)}`, { errno: code });
		}
	}

	/** Watches `descriptor` for wake-ups. Throws OperatingError "epoll". */
	add(descriptor: number): void {
		assert(this.#open, "The epoll is open");
		assert(descriptor >= 0, "A descriptor is not negative");
		this.#events.words.fill(0);
		this.#events.words[0] = (readable | edgeTriggered) >>> 0;
		if (libc.epoll_ctl(this.descriptor, operationAdd, descriptor, this.#address()) !== 0) {
			const code = errno();
			throw new OperatingError("epoll", `Watch descriptor ${descriptor}: ${describeErrno(code)}`, { errno: code });
		}
	}

	/** Takes the wake-ups that have come, without waiting, and returns how many descriptors they were from. Call it before looking for data. */
	acknowledge(): number {
		assert(this.#open, "The epoll is open");
		return Math.max(0, libc.epoll_wait(this.descriptor, this.#address(), eventsMax, 0));
	}

	/** Closes. Safe twice. */
	[Symbol.dispose](): void {
		if (!this.#open) return;
		this.#open = false;
		closeSync(this.descriptor);
	}

	#address(): Pointer {
		return this.#events.addressOf(0) as Pointer;
	}
}
