/**
 * A client's connection to a control socket.
 *
 * Theory of operation. Every read and write is tried at once. One that would block waits in its direction's queue until the
 * reactor tells of news, and others of that direction wait behind it; the reactor's events are edges, so the first of each
 * queue is tried until the kernel says that it would block.
 *
 * What succeeds at once is told in a later turn of the event loop: a client that sends without end, or reads without end,
 * would otherwise keep it from everybody else.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { errorText, systemErrorOfNumber } from "../errno.ts";
import type { ControlConnection, Peer } from "../control_listener.ts";
import { C, ERRNO, LAYOUT, type Libc, systemFailure } from "./libc.ts";
import type { Reactor, Source } from "./reactor.ts";

/** A connection; the reactor calls it when it may be read or written again. */
export class LinuxControlConnection implements ControlConnection, Source {
  generation = 0;
  readonly peer: Peer;
  readonly #libc: Libc;
  readonly #reactor: Reactor;
  readonly #descriptor: number;
  readonly #closed: (connection: LinuxControlConnection) => void;
  readonly #reads: Transfers;
  readonly #writes: Transfers;
  #open = true;

  /**
   * Takes over the descriptor of an accepted connection; `closed` is called once.
   *
   * @throws {PestoError} if the system doesn't let it be watched; the descriptor is closed then
   */
  constructor(
    libc: Libc,
    reactor: Reactor,
    descriptor: number,
    closed: (connection: LinuxControlConnection) => void,
  ) {
    this.#libc = libc;
    this.#reactor = reactor;
    this.#descriptor = descriptor;
    this.#closed = closed;
    const { call } = libc;
    this.#reads = new Transfers(libc, "read", (bytes) => call.read(descriptor, bytes, BigInt(bytes.length)));
    this.#writes = new Transfers(
      libc,
      "write",
      (bytes) => call.send(descriptor, bytes, BigInt(bytes.length), C.MSG_NOSIGNAL),
    );
    this.peer = peerOf(libc, descriptor);
    if (reactor.add(descriptor, this)) return;
    const error = systemErrorOfNumber(libc.errno);
    call.close(descriptor);
    throw systemFailure("Can't watch a client's connection", error);
  }

  async read(into: Uint8Array): Promise<number | null> {
    const size = await this.#reads.run(into);
    return size === 0 ? null : size;
  }

  write(bytes: Uint8Array): Promise<number> {
    return this.#writes.run(bytes);
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#reactor.remove(this.#descriptor);
    this.#libc.call.close(this.#descriptor);
    this.#reads.end();
    this.#writes.end();
    this.#closed(this);
  }

  ready(): void {
    if (!this.#open) return;
    this.#reads.resume();
    this.#writes.resume();
  }
}

/** A read or write that waits. */
interface Transfer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly done: PromiseWithResolvers<number>;
}

/** The reads, or the writes, of one connection. */
class Transfers {
  readonly #libc: Libc;
  readonly #what: string;
  readonly #move: (bytes: Uint8Array<ArrayBuffer>) => number;
  readonly #waiting: Transfer[] = [];
  #ended = false;

  /** `move` returns how many bytes it has moved, or -1. */
  constructor(libc: Libc, what: string, move: (bytes: Uint8Array<ArrayBuffer>) => number) {
    this.#libc = libc;
    this.#what = what;
    this.#move = move;
  }

  /** Resolves to the number of bytes moved. */
  async run(memory: Uint8Array): Promise<number> {
    if (this.#ended) throw this.#over();
    const bytes = unshared(memory);
    const result = this.#waiting.length > 0 ? -ERRNO.EAGAIN : this.#try(bytes);
    if (result === -ERRNO.EAGAIN) {
      const done = Promise.withResolvers<number>();
      this.#waiting.push({ bytes, done });
      return await done.promise;
    }
    await new Promise<void>((next) => setImmediate(next));
    if (result < 0) throw this.#failure(-result);
    return result;
  }

  /** Goes on with what waits, as far as that is possible. */
  resume(): void {
    for (let [first] = this.#waiting; first !== undefined; [first] = this.#waiting) {
      const result = this.#try(first.bytes);
      if (result === -ERRNO.EAGAIN) return;
      this.#waiting.shift();
      if (result < 0) first.done.reject(this.#failure(-result));
      else first.done.resolve(result);
    }
  }

  /** The connection is closed. */
  end(): void {
    this.#ended = true;
    for (const { done } of this.#waiting.splice(0)) done.reject(this.#over());
  }

  /** How many bytes were moved, or the negated error number. */
  #try(bytes: Uint8Array<ArrayBuffer>): number {
    for (;;) {
      const result = this.#move(bytes);
      if (result >= 0) return result;
      const { errno } = this.#libc;
      if (errno !== ERRNO.EINTR) return -errno;
    }
  }

  #over(): Error {
    return new Deno.errors.BadResource(`Can't ${this.#what}: the connection is closed`);
  }

  /** As the runtime's own connections fail, so that whoever uses them needn't care which these are. */
  #failure(errno: number): Error {
    const error = systemErrorOfNumber(errno);
    const message = `Can't ${this.#what}: ${errorText(error)}`;
    switch (errno) {
      case ERRNO.EPIPE:
        return new Deno.errors.BrokenPipe(message);
      case ERRNO.ECONNRESET:
        return new Deno.errors.ConnectionReset(message);
      default:
        return systemFailure(`Can't ${this.#what}`, error);
    }
  }
}

/** The same memory, for the C library, which takes none that threads share. */
function unshared({ buffer, byteOffset, length }: Uint8Array): Uint8Array<ArrayBuffer> {
  if (!(buffer instanceof ArrayBuffer)) throw new TypeError("Can't use this memory: it is shared, and must not be");
  return new Uint8Array(buffer, byteOffset, length);
}

/** Whose connection it is. It can't fail for one that was accepted from a UNIX socket. */
function peerOf(libc: Libc, descriptor: number): Peer {
  const { ucred } = LAYOUT;
  const credentials = new DataView(new ArrayBuffer(ucred.size));
  const size = new Uint32Array(new ArrayBuffer(4)).fill(ucred.size);
  libc.call.getsockopt(descriptor, C.SOL_SOCKET, C.SO_PEERCRED, credentials, size);
  return {
    uid: credentials.getUint32(ucred.uid, true),
    gid: credentials.getUint32(ucred.gid, true),
    pid: credentials.getInt32(ucred.pid, true),
  };
}
