/**
 * The TCP connections that the portable backend relays.
 *
 * Theory of operation. A flow has an accepted connection, then one to its target, and a pump for each direction:
 *
 *     start() ─▶ connecting ─▶ relaying ─▶ half closed ─▶ ended
 *                    └─ refused, timed out ─▶ ended ◀─ either connection fails
 *
 * A pump reads only after it has written what it read before, so a side that doesn't read stops the other one, and a
 * flow never holds more than two buffers. An end of stream is passed on as one; when both directions have ended, or one
 * of them has failed, both connections are closed.
 *
 * Invariants: a flow is in the set from `start` to its end, and both of its connections are closed before it leaves.
 *
 * What the runtime keeps us from: nothing in Deno's own sockets sends a reset, so a target that can't be reached, and a
 * connection that is reset, are passed on as a connection that is closed at once. A reset of one side while the other
 * doesn't read is noticed only when that one reads again. `node:net` can reset on Deno 2.9 (not on 2.7), but it can't
 * leave connections in the kernel's backlog, and relays half as much: one stream over loopback on 2 cores 900 MB/s
 * instead of 1,900 with buffers of 64 KiB (Deno 2.7: 600 instead of 2,100), and on 2.7 it takes 1,600 ms instead of 500
 * for 1,000 connections with 10 round trips each (2.9: 500 both).
 *
 * @module
 */

import type { Limit } from "../episode.ts";

/**
 * Bytes of a pump's first buffer, and of the largest one that it grows to when reads fill it. One stream over loopback,
 * 2 cores: 1,900 MB/s with 64 KiB, 2,500 MB/s with 256 KiB. 1,000 connections that never filled one hold 32 MB.
 */
const FIRST_BUFFER = 16 * 1024;
const LAST_BUFFER = 256 * 1024;
/** By how much a buffer grows when a read fills it. */
const GROWTH = 4;

/** Where a flow goes. */
export interface TcpTarget {
  /** A numeric address. */
  readonly hostname: string;
  readonly port: number;
}

/** All TCP connections of one backend. */
export class TcpFlows {
  readonly #limit: Limit;
  readonly #connectTimeout: number;
  readonly #flows = new Set<TcpFlow>();
  #woken = Promise.withResolvers<void>();

  /** `connectTimeout` in milliseconds. */
  constructor(limit: Limit, connectTimeout: number) {
    this.#limit = limit;
    this.#connectTimeout = connectTimeout;
  }

  /** How many are being connected or relayed. */
  get count(): number {
    return this.#flows.size;
  }

  /** Whether a further one may be started. */
  admits(): boolean {
    return this.#limit.admits(this.#flows.size);
  }

  /** Relays an accepted connection, which is the flow's from now on. */
  start(client: Deno.TcpConn, target: TcpTarget): void {
    const flow = new TcpFlow(client);
    this.#flows.add(flow);
    flow.run(target, this.#connectTimeout).then(() => {
      this.#flows.delete(flow);
      this.#limit.left(this.#flows.size);
      this.wake();
    });
  }

  /** Resolves when a flow has ended, or at the next {@linkcode wake}; whoever waits then looks again. */
  woken(): Promise<void> {
    return this.#woken.promise;
  }

  /** Makes everyone who waits look again. */
  wake(): void {
    this.#woken.resolve();
    this.#woken = Promise.withResolvers();
  }

  /** Ends all flows; resolves when none is left. */
  async abort(): Promise<void> {
    for (const flow of this.#flows) flow.abort();
    while (this.#flows.size > 0) await this.woken();
  }
}

class TcpFlow {
  readonly #client: Deno.TcpConn;
  readonly #aborted = new AbortController();
  #target: Deno.TcpConn | undefined;

  constructor(client: Deno.TcpConn) {
    this.#client = client;
  }

  abort(): void {
    this.#aborted.abort();
    this.#close();
  }

  /** Never rejects: whatever goes wrong ends the flow. */
  async run(target: TcpTarget, connectTimeout: number): Promise<void> {
    const timer = setTimeout(() => this.#aborted.abort(), connectTimeout);
    try {
      this.#target = await Deno.connect({ ...target, signal: this.#aborted.signal });
    } catch {
      this.#close();
      return;
    } finally {
      clearTimeout(timer);
    }
    if (!this.#aborted.signal.aborted) {
      const close = () => this.#close();
      await Promise.all([
        pump(this.#client, this.#target).catch(close),
        pump(this.#target, this.#client).catch(close),
      ]);
    }
    this.#close();
  }

  #close(): void {
    closeQuietly(this.#client);
    if (this.#target !== undefined) closeQuietly(this.#target);
  }
}

/** Closes a connection that may be closed already. */
export function closeQuietly(connection: Disposable & { close(): void }): void {
  try {
    connection.close();
  } catch {
    // It was closed before: all that was wanted.
  }
}

async function pump(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
  // What is read goes out as it came: waiting for more would only add a delay that the sender didn't ask for.
  to.setNoDelay();
  // A peer that vanished without a word would otherwise hold its flow for ever.
  to.setKeepAlive();
  let buffer = new Uint8Array(FIRST_BUFFER);
  for (;;) {
    const length = await from.read(buffer);
    if (length === null) break;
    for (let sent = 0; sent < length;) sent += await to.write(buffer.subarray(sent, length));
    if (length === buffer.length && length < LAST_BUFFER) buffer = new Uint8Array(length * GROWTH);
  }
  await to.closeWrite();
}
