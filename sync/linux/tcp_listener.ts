/**
 * A TCP endpoint with its listening socket.
 *
 * Theory of operation. When told that connections are there, it accepts them until there are none, in turns of
 * ACCEPTS_PER_TURN. Where a flow can't be begun it stops, and is given a turn when that may have changed. While parked it
 * accepts and resets: the port stays taken, and whoever connects is refused as if it weren't.
 *
 * Options of connections are set when the first one comes, since most ports of a large range never see one: on the
 * listening socket, which hands them down to connections from then on, and on those that came before.
 *
 *     bare ── first event ─▶ handing down ── no more connections wait ─▶ handed down
 *
 * @module
 */

import type { Endpoint, Route } from "../backend.ts";
import { C, ERRNO } from "./libc.ts";
import { LinuxListener } from "./listener.ts";
import { allowReuse, closeWithReset, tuneConnection } from "./sockets.ts";
import type { TcpFlows } from "./tcp_flows.ts";

/** Connections accepted before others have their turn. */
const ACCEPTS_PER_TURN = 16;
/** What accepted sockets are made with. */
export const ACCEPT_FLAGS = C.SOCK_NONBLOCK | C.SOCK_CLOEXEC;
/** Errors of one connection only: its peer gave up while it waited, or a firewall forbade it. */
export const PASSING: ReadonlySet<number> = new Set([ERRNO.EPERM, ERRNO.EINTR, ERRNO.EPROTO, ERRNO.ECONNABORTED]);

/** A listening TCP socket. */
export class LinuxTcpListener extends LinuxListener {
  readonly #flows: TcpFlows;
  #options: "bare" | "handing down" | "handed down" = "bare";

  /** As {@linkcode LinuxListener}; the socket listens. */
  constructor(
    flows: TcpFlows,
    endpoint: Endpoint,
    route: Route,
    descriptor: number,
    closed: (descriptor: number) => void,
  ) {
    super(flows, endpoint, route, descriptor, closed);
    this.#flows = flows;
  }

  ready(): void {
    if (this.#options === "bare" && this.isOpen) {
      this.#prepare(this.descriptor);
      this.#options = "handing down";
    }
    for (let count = 0; this.isOpen; count++) {
      if (count === ACCEPTS_PER_TURN) {
        this.#flows.reactor.again(this);
        return;
      }
      if (!(this.parked ? this.#refuse() : this.#accept())) return;
    }
  }

  protected abandon(): void {
    this.#flows.forget(this);
  }

  /** Whether to go on. */
  #refuse(): boolean {
    const { libc } = this.#flows;
    const client = libc.call.accept4(this.descriptor, null, null, ACCEPT_FLAGS);
    if (client < 0) return this.#failed(libc.errno);
    closeWithReset(libc, client);
    return true;
  }

  /** Whether to go on. */
  #accept(): boolean {
    const { target } = this;
    const { family } = target;
    const { libc } = this.#flows;
    const socket = this.#flows.socketFor(this, family);
    if (socket === undefined) return false;
    const client = libc.call.accept4(this.descriptor, null, null, ACCEPT_FLAGS);
    if (client < 0) {
      const { errno } = libc;
      this.#flows.giveBack(socket, family);
      return this.#failed(errno);
    }
    if (this.#options === "handing down") this.#prepare(client);
    this.#flows.start(client, socket, target);
    return true;
  }

  /** Whether to go on nevertheless. */
  #failed(errno: number): boolean {
    if (PASSING.has(errno)) return true;
    if (errno === ERRNO.EAGAIN) this.#options = "handed down";
    else this.#flows.backOff(this, errno);
    return false;
  }

  #prepare(descriptor: number): void {
    tuneConnection(this.#flows.libc, descriptor);
    allowReuse(this.#flows.libc, descriptor);
  }
}
