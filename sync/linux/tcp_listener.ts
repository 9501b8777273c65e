/**
 * A TCP endpoint with its listening socket.
 *
 * Theory of operation. When told that connections are there, it accepts them until there are none, in turns of
 * ACCEPTS_PER_TURN. Where a flow can't be begun it stops, and is given a turn when that may have changed. While parked it
 * accepts and resets: the port stays taken, and whoever connects is refused as if it weren't.
 *
 * @module
 */

import type { Endpoint, Listener, Route } from "../backend.ts";
import { nextSocketId } from "../socket_id.ts";
import { C, ERRNO, type Libc } from "./libc.ts";
import type { Reactor, Source } from "./reactor.ts";
import { type SocketAddress, targetOf } from "./socket_address.ts";
import { closeWithReset, refused } from "./sockets.ts";
import type { TcpFlows } from "./tcp_flows.ts";

/** Connections accepted before others have their turn. */
const ACCEPTS_PER_TURN = 16;
const ACCEPT_FLAGS = C.SOCK_NONBLOCK | C.SOCK_CLOEXEC;
/** Errors of one connection only: its peer gave up while it waited, or a firewall forbade it. */
const PASSING: ReadonlySet<number> = new Set([ERRNO.EPERM, ERRNO.EINTR, ERRNO.EPROTO, ERRNO.ECONNABORTED]);

/** A listening TCP socket. */
export class LinuxTcpListener implements Listener, Source {
  generation = 0;
  readonly endpoint: Endpoint;
  readonly socketId: number = nextSocketId();
  parked = false;
  readonly #libc: Libc;
  readonly #reactor: Reactor;
  readonly #flows: TcpFlows;
  readonly #descriptor: number;
  readonly #closed: () => void;
  #route: Route;
  #target: SocketAddress;
  #open = true;

  /**
   * Takes over the descriptor of a socket that listens on `endpoint`; `closed` is called once.
   *
   * @throws {BindError} if the system doesn't let it be watched; the descriptor is closed then
   */
  constructor(
    flows: TcpFlows,
    endpoint: Endpoint,
    route: Route,
    descriptor: number,
    closed: () => void,
  ) {
    this.#libc = flows.libc;
    this.#reactor = flows.reactor;
    this.#flows = flows;
    this.endpoint = endpoint;
    this.#route = route;
    this.#target = targetOf(endpoint, route);
    this.#descriptor = descriptor;
    this.#closed = closed;
    if (!flows.reactor.add(descriptor, this)) throw refused(flows.libc, endpoint, descriptor);
  }

  get route(): Route {
    return this.#route;
  }

  set route(route: Route) {
    this.#target = targetOf(this.endpoint, route);
    this.#route = route;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#reactor.remove(this.#descriptor);
    this.#flows.forget(this);
    this.#libc.call.close(this.#descriptor);
    this.#closed();
  }

  ready(): void {
    for (let count = 0; this.#open; count++) {
      if (count === ACCEPTS_PER_TURN) {
        this.#reactor.again(this);
        return;
      }
      if (!(this.parked ? this.#refuse() : this.#accept())) return;
    }
  }

  /** Whether to go on. */
  #refuse(): boolean {
    const client = this.#libc.call.accept4(this.#descriptor, null, null, ACCEPT_FLAGS);
    if (client < 0) return this.#failed(this.#libc.errno);
    closeWithReset(this.#libc, client);
    return true;
  }

  /** Whether to go on. */
  #accept(): boolean {
    const { family } = this.#target;
    const socket = this.#flows.socketFor(this, family);
    if (socket === undefined) return false;
    const client = this.#libc.call.accept4(this.#descriptor, null, null, ACCEPT_FLAGS);
    if (client < 0) {
      const { errno } = this.#libc;
      this.#flows.giveBack(socket, family);
      return this.#failed(errno);
    }
    this.#flows.start(client, socket, this.#target);
    return true;
  }

  /** Whether to go on nevertheless. */
  #failed(errno: number): boolean {
    if (PASSING.has(errno)) return true;
    if (errno !== ERRNO.EAGAIN) this.#flows.backOff(this, errno);
    return false;
  }
}
