/**
 * The ring: a single-producer, single-consumer byte ring over memory that two threads or two processes share.
 *
 *   offset     what                                                                              written by
 *   0          magic, version, capacity, number of collectors                                    creator, once
 *   64         head: bytes ever written, modulo 2^32                                             producer
 *   128        tail: bytes ever read, modulo 2^32                                                consumer
 *   192        control: what the consumer's side asks of the producer                            consumer
 *   200        heartbeat: turns of the producer's loop, modulo 2^32                              producer
 *   256        per collector 64 bytes: quota | released bytes (modulo 2^32)                      creator | consumer
 *   1280       per collector 128 bytes: 16 counters, doubles below 2^53                          producer
 *   4096       data: `capacity` bytes, a power of two
 *
 * A record is a header of 8 bytes and a payload, rounded up to 8 bytes: word 0 is the payload's length, or `padding`
 * for a filler that runs to the end of the data area; word 1 is the collector's index in the low 16 bits and the
 * collector's own kind of record in the high 16. A record never straddles the end. Head and tail count modulo 2^32,
 * so `(head - tail) >>> 0` is the fill as long as the capacity stays below 2^31.
 *
 * The producer writes records first and stores the head once per batch; the consumer reads up to a loaded head and
 * stores the tail once per batch. Those two stores are the only points of publication.
 */
export const ringMagic = 0x52504154; // "TAPR"
export const ringVersion = 1;

/** Bytes before the data area: one page, so that a memfd can hold header and data as whole pages. */
/** Bytes before the data area. */
export const headerBytes = 4096;
/** Smallest and largest data area. */
export const capacityMin = 4096;
export const capacityMax = 2 ** 30;
/** Collectors in one ring. A ring for more is refused. */
export const collectorsMax = 16;
/** Counters of one collector in a ring's header. */
export const countersMax = 16;
/** Bytes of a record's header. */
export const recordHeaderBytes = 8;
/** Word 0 of a filler. */
export const padding = 0xffffffff;

// Word indices into the header.
export const wordMagic = 0;
export const wordVersion = 1;
export const wordCapacity = 2;
export const wordCollectors = 3;
export const wordHead = 16;
export const wordTail = 32;
export const wordControl = 48;
export const wordHeartbeat = 50;
export const wordQuota = 64;
export const wordReleased = 65;
export const quotaStride = 16;
/** The counters, in units of 8 bytes. */
export const doubleCounters = 160;

/** What the consumer's side may ask of the producer through the control word. */
export const controlRun = 0;
export const controlStop = 1;

/** Bytes of the whole ring in memory for a data area of `capacity` bytes. */
export function ringBytes(capacity: number): number {
	return headerBytes + capacity;
}

/** Bytes that a payload takes in the data area. */
export function recordBytes(payload: number): number {
	return (recordHeaderBytes + payload + 7) & ~7;
}
