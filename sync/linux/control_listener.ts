/**
 * A control socket's listener over the system's own sockets, which knows whose every connection is.
 *
 * Theory of operation. It has a reactor of its own, so that it works beside any backend, or none, and is asked nothing by
 * the kernel while no client comes:
 *
 *     waiting ── clients come ──▶ accepting, up to BATCH ──▶ waiting for whoever iterates to take them
 *        ▲                              │                                    │ last one taken
 *        └────────── none is left ──────┘ ◀──────────────────────────────────┘
 *
 * So a flood of clients fills the kernel's backlog and no memory of ours. Where the system has no descriptor for a client,
 * it waits for a while; the relays leave some to spare (`descriptors.ts`).
 *
 * @module
 */

import { type ControlConnection, type ControlListener, shortage } from "../control_listener.ts";
import { BACK_OFF, type Episode } from "../episode.ts";
import { errorText, systemErrorOfNumber } from "../errno.ts";
import { LinuxControlConnection } from "./control_connection.ts";
import { C, ERRNO, lastError, type Libc, openLibc } from "./libc.ts";
import { Reactor, type Source } from "./reactor.ts";
import { unixAddress } from "./socket_address.ts";
import { BACKLOG } from "./sockets.ts";
import { ACCEPT_FLAGS, PASSING } from "./tcp_listener.ts";

/** Clients accepted before the first of them is served. Not measured: their greetings take longer than their way here. */
const BATCH = 64;

/**
 * Listens at a path; `log` is told when clients can't be let in for a while.
 *
 * @throws {Error} with what is wrong as its message
 */
export function listenOnLinux(path: string, log: (message: string) => void = () => {}): ControlListener {
  return new LinuxControlListener(path, log);
}

class LinuxControlListener implements ControlListener, Source {
  generation = 0;
  readonly ownUid: number;
  readonly #libc: Libc;
  readonly #reactor: Reactor;
  readonly #descriptor: number;
  readonly #failing: Episode;
  readonly #stack: AsyncDisposableStack;
  /** Accepted, and not taken yet. */
  readonly #arrived: LinuxControlConnection[] = [];
  readonly #connections = new Set<LinuxControlConnection>();
  /** Resolves when there is something to take, or will never be. */
  #news = Promise.withResolvers<void>();
  #retry: ReturnType<typeof setTimeout> | undefined;
  #open = true;

  constructor(path: string, log: (message: string) => void) {
    const address = unixAddress(path);
    this.#failing = shortage(log, path);
    const stack = this.#stack = new AsyncDisposableStack();
    try {
      const libc = this.#libc = stack.use(openLibc());
      this.ownUid = libc.call.geteuid();
      this.#reactor = stack.use(new Reactor(libc));
      this.#descriptor = listenAt(libc, address);
      if (!this.#reactor.add(this.#descriptor, this)) throw failure(libc, this.#descriptor);
    } catch (error) {
      void stack.disposeAsync();
      throw error;
    }
  }

  async *[Symbol.asyncIterator](): AsyncIterator<ControlConnection> {
    for (;;) {
      const connection = this.#arrived.shift();
      if (connection !== undefined) {
        if (this.#arrived.length === 0 && this.#open) this.#reactor.again(this);
        yield connection;
      } else if (this.#open) {
        await this.#news.promise;
      } else return;
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    clearTimeout(this.#retry);
    this.#reactor.remove(this.#descriptor);
    this.#libc.call.close(this.#descriptor);
    for (const connection of this.#arrived.splice(0)) connection.close();
    this.#news.resolve();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    for (const connection of this.#connections) connection.close();
    await this.#stack.disposeAsync();
  }

  ready(): void {
    while (this.#open && this.#arrived.length < BATCH) if (!this.#accept()) break;
    if (this.#arrived.length === 0) return;
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  /** Whether to go on. */
  #accept(): boolean {
    const descriptor = this.#libc.call.accept4(this.#descriptor, null, null, ACCEPT_FLAGS);
    if (descriptor < 0) return this.#failed(this.#libc.errno);
    try {
      const connection = new LinuxControlConnection(
        this.#libc,
        this.#reactor,
        descriptor,
        (closed) => this.#connections.delete(closed),
      );
      this.#connections.add(connection);
      this.#arrived.push(connection);
      this.#failing.end();
      return true;
    } catch (error) {
      this.#backOff(error instanceof Error ? error.message : String(error));
      return false;
    }
  }

  /** Whether to go on nevertheless. */
  #failed(errno: number): boolean {
    if (PASSING.has(errno)) return true;
    if (errno !== ERRNO.EAGAIN) this.#backOff(errorText(systemErrorOfNumber(errno)));
    return false;
  }

  #backOff(reason: string): void {
    this.#failing.begin(reason);
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#reactor.again(this), BACK_OFF);
  }
}

/** Descriptor of a new socket file's socket. */
function listenAt(libc: Libc, address: Uint8Array<ArrayBuffer>): number {
  const { call } = libc;
  const descriptor = call.socket(C.AF_UNIX, C.SOCK_STREAM | C.SOCK_NONBLOCK | C.SOCK_CLOEXEC, 0);
  if (descriptor < 0) throw failure(libc);
  if (call.bind(descriptor, address, address.length) === 0 && call.listen(descriptor, BACKLOG) === 0) return descriptor;
  throw failure(libc, descriptor);
}

/** What the last call has failed with; closes the descriptor that it was about. */
function failure(libc: Libc, descriptor?: number): Error {
  const error = new Error(errorText(lastError(libc)));
  if (descriptor !== undefined) libc.call.close(descriptor);
  return error;
}
