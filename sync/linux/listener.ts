/**
 * What the listeners of both protocols have in common: a registered socket, where its flows go, and its end.
 *
 * Theory of operation. A listener is told by the reactor what happens to its socket from its construction to `close`, and
 * never after. Most of a large table's listeners never see a flow, so what only flows need is made when the first one comes:
 * the target's socket address here.
 *
 * Invariant: `closed` is called once, when the descriptor is closed.
 *
 * @module
 */

import type { Endpoint, Listener, Route } from "../backend.ts";
import { nextSocketId } from "../socket_id.ts";
import type { Libc } from "./libc.ts";
import type { Reactor, Source } from "./reactor.ts";
import { checkRoute, type SocketAddress, targetOf } from "./socket_address.ts";
import { refused } from "./sockets.ts";

/** What a listener gets from its backend; the same for all listeners of a protocol. */
export interface ListenerParts {
  readonly libc: Libc;
  readonly reactor: Reactor;
}

/** A socket that is bound to an endpoint. */
export abstract class LinuxListener implements Listener, Source {
  generation = 0;
  readonly endpoint: Endpoint;
  readonly socketId: number = nextSocketId();
  parked = false;
  readonly descriptor: number;
  readonly #parts: ListenerParts;
  readonly #closed: (descriptor: number) => void;
  #route: Route;
  #target: SocketAddress | undefined;
  #open = true;

  /**
   * Takes over the descriptor of a socket that is bound to `endpoint`; `closed` is called with it once.
   *
   * @throws {BindError} if the system doesn't let it be watched; the descriptor is closed then
   */
  constructor(
    parts: ListenerParts,
    endpoint: Endpoint,
    route: Route,
    descriptor: number,
    closed: (descriptor: number) => void,
  ) {
    this.#parts = parts;
    this.endpoint = endpoint;
    this.#route = route;
    this.descriptor = descriptor;
    this.#closed = closed;
    if (!parts.reactor.add(descriptor, this)) throw refused(parts.libc, endpoint, descriptor);
  }

  get route(): Route {
    return this.#route;
  }

  /** @throws {SyntaxError} if the address isn't a numeric one; the listener keeps its route then */
  set route(route: Route) {
    checkRoute(route);
    this.#target = undefined;
    this.#route = route;
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.abandon();
    this.#parts.reactor.remove(this.descriptor);
    this.#parts.libc.call.close(this.descriptor);
    this.#closed(this.descriptor);
  }

  abstract ready(events: number): void;

  /** Ends what can't go on without the listener, which is about to be closed. */
  protected abstract abandon(): void;

  protected get isOpen(): boolean {
    return this.#open;
  }

  /** Where new flows go: made when it is asked for first. */
  protected get target(): SocketAddress {
    return this.#target ??= targetOf(this.endpoint, this.#route);
  }
}
