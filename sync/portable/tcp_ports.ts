/**
 * Which socket serves which TCP endpoint.
 *
 * Theory of operation. Deno can't make an IPv6-only TCP socket: one bound to `::` always takes IPv4 connections, too,
 * and the kernel won't grant an IPv4 socket on the same port beside it. So a port is served in one of two ways:
 *
 *     apart:  every endpoint has a socket of its own              (no `[::]` and no `[*]` on this port)
 *     shared: one socket bound to `::` stands for all endpoints   (connections are told apart by their local address)
 *
 *     apart ── open `[::]` beside IPv4 endpoints: swap ──▶ shared ── last endpoint closed ──▶ (nothing)
 *
 * A swap closes the IPv4 sockets, binds `::`, and attaches the IPv4 endpoints to it; if that is refused they get their
 * own sockets back. It is the one case in which this backend replaces the socket of an endpoint that is kept: connections
 * in its backlog are lost. Endpoints opened on a shared port attach to its socket; whether they may is decided here, as
 * the kernel would. A connection to an address that has no endpoint is closed at once. The shared socket stays until the
 * last of its endpoints is closed, even if that is an IPv4 one: swapping back would disturb who is kept.
 *
 * A port's opens, probes and swaps run one after the other. `close` is synchronous and may come in between: whoever
 * has awaited looks at the endpoints again. The system has a closed socket's port back only when its accept has been
 * cancelled, a little after `close`; opens and probes wait for that.
 *
 * @module
 */

import type { Endpoint, Listener, Route } from "../backend.ts";
import { bindErrorOf, bindFailure } from "../bind_failure.ts";
import { endpointText } from "../endpoint.ts";
import { systemError } from "../errno.ts";
import { Episode } from "../episode.ts";
import type { TcpFlows } from "./tcp_flows.ts";
import { type Dispatch, TcpSocket } from "./tcp_socket.ts";

/** Connections that the kernel holds until they are accepted; it lowers this to its own limit, 4096 by default. */
const BACKLOG = 4096;
/** How the system writes an IPv4 address in the place of an IPv6 one. */
const MAPPED = "::ffff:";

class PortableTcpListener implements Listener {
  readonly endpoint: Endpoint;
  route: Route;
  parked = false;
  socket: TcpSocket;
  readonly #close: (listener: PortableTcpListener) => void;

  constructor(endpoint: Endpoint, route: Route, socket: TcpSocket, close: (listener: PortableTcpListener) => void) {
    this.endpoint = endpoint;
    this.route = route;
    this.socket = socket;
    this.#close = close;
  }

  get socketId(): number {
    return this.socket.id;
  }

  close(): void {
    this.#close(this);
  }
}

/** The TCP ports of one backend. */
export class TcpPorts {
  readonly #flows: TcpFlows;
  readonly #log: (message: string) => void;
  readonly #ports = new Map<number, TcpPort>();
  #count = 0;

  constructor(flows: TcpFlows, log: (message: string) => void) {
    this.#flows = flows;
    this.#log = log;
  }

  /** How many endpoints are served. */
  get count(): number {
    return this.#count;
  }

  /** As {@linkcode Backend.open}. */
  open(endpoint: Endpoint, route: Route): Promise<Listener> {
    return this.#at(endpoint.port, (port) => port.open(endpoint, route));
  }

  /** As {@linkcode Backend.probe}. */
  probe(endpoint: Endpoint): Promise<void> {
    return this.#at(endpoint.port, (port) => port.probe(endpoint));
  }

  /** Closes all; resolves when the system has the ports back. */
  async close(): Promise<void> {
    await Promise.all(Array.from(this.#ports.values(), (port) => port.close()));
  }

  async #at<Result>(number: number, use: (port: TcpPort) => Result | Promise<Result>): Promise<Result> {
    let port = this.#ports.get(number);
    if (port === undefined) {
      const counted = (change: number) => this.#count += change;
      port = new TcpPort(this.#flows, this.#log, counted, () => this.#ports.delete(number));
      this.#ports.set(number, port);
    }
    return await port.inTurn(use);
  }
}

/** One port number. */
class TcpPort {
  readonly #flows: TcpFlows;
  readonly #log: (message: string) => void;
  readonly #counted: (change: number) => void;
  readonly #unused: () => void;
  readonly #listeners = new Map<string, PortableTcpListener>();
  /** The socket that stands for all endpoints, when the port is shared. */
  #shared: TcpSocket | undefined;
  /** Sockets that were closed and whose port the system may not have back yet. */
  readonly #closing = new Set<Promise<void>>();
  #last: Promise<unknown> = Promise.resolve();
  #queued = 0;

  /**
   * `counted` is called with 1 for each endpoint that is served from now on, and with -1 for each that no longer is;
   * `unused` when there is nothing left that is worth remembering.
   */
  constructor(
    flows: TcpFlows,
    log: (message: string) => void,
    counted: (change: number) => void,
    unused: () => void,
  ) {
    this.#flows = flows;
    this.#log = log;
    this.#counted = counted;
    this.#unused = unused;
  }

  /** Runs `use` when everything asked for before is done. */
  inTurn<Result>(use: (port: TcpPort) => Result | Promise<Result>): Promise<Result> {
    this.#queued++;
    const result = this.#last.then(async () => {
      try {
        while (this.#closing.size > 0) await Promise.all(this.#closing);
        return await use(this);
      } finally {
        this.#queued--;
        this.#forget();
      }
    });
    this.#last = result.catch(() => {});
    return result;
  }

  async open(endpoint: Endpoint, route: Route): Promise<Listener> {
    this.#check(endpoint);
    const socket = this.#shared ?? await this.#bind(endpoint);
    const listener = new PortableTcpListener(endpoint, route, socket, (listener) => this.#close(listener));
    this.#listeners.set(endpoint.address, listener);
    this.#counted(1);
    return listener;
  }

  probe(endpoint: Endpoint): void {
    this.#check(endpoint);
    const swap = endpoint.address === "::" && this.#listeners.size > 0;
    if (this.#shared === undefined && !swap) spare(endpoint, endpoint.port);
  }

  async close(): Promise<void> {
    await this.#last;
    for (const listener of this.#listeners.values()) listener.close();
    await Promise.all(this.#closing);
  }

  /** Refuses what the kernel can't be asked about, because a socket of ours stands in for the endpoint. */
  #check(endpoint: Endpoint): void {
    if (this.#shared === undefined && endpoint.address !== "::") return;
    for (const { endpoint: { address } } of this.#listeners.values()) {
      if (overlap(address, endpoint.address)) throw bindErrorOf(endpoint, systemError("EADDRINUSE"));
    }
    // Port 0: any free one, since only the address is in question.
    if (this.#shared !== undefined) spare(endpoint, 0);
  }

  async #bind(endpoint: Endpoint): Promise<TcpSocket> {
    switch (endpoint.address) {
      case "*":
        return this.#shared = this.#listen(endpoint, (connection) => this.#byLocalAddress(connection));
      case "::":
        return this.#shared = await this.#swap(endpoint);
      default:
        return this.#listen(endpoint, () => this.#listeners.get(endpoint.address));
    }
  }

  async #swap(endpoint: Endpoint): Promise<TcpSocket> {
    for (const { socket } of this.#listeners.values()) this.#release(socket);
    while (this.#closing.size > 0) await Promise.all(this.#closing);
    try {
      const shared = this.#listen(endpoint, (connection) => this.#byLocalAddress(connection));
      for (const listener of this.#listeners.values()) listener.socket = shared;
      return shared;
    } catch (error) {
      for (const listener of this.#listeners.values()) this.#restore(listener);
      throw error;
    }
  }

  #restore(listener: PortableTcpListener): void {
    const { endpoint } = listener;
    try {
      listener.socket = this.#listen(endpoint, () => this.#listeners.get(endpoint.address));
    } catch (error) {
      // Its old socket is closed for good; the listener stays, so that its owner can close it.
      this.#log(`${bindFailure(endpoint, error).message}; it is no longer served`);
    }
  }

  #listen(endpoint: Endpoint, dispatch: Dispatch): TcpSocket {
    const failing = new Episode(this.#log, `Can't accept connections on ${endpointText(endpoint)}`);
    return new TcpSocket(listen(endpoint, endpoint.port), this.#flows, dispatch, failing);
  }

  /** Of the endpoints on a shared socket, the one that a connection was meant for. */
  #byLocalAddress({ localAddr: { hostname } }: Deno.TcpConn): Listener | undefined {
    const mapped = hostname.startsWith(MAPPED);
    const address = mapped ? hostname.slice(MAPPED.length) : hostname;
    const wildcard = mapped ? "0.0.0.0" : "::";
    return this.#listeners.get(address) ?? this.#listeners.get(wildcard) ?? this.#listeners.get("*");
  }

  #close(listener: PortableTcpListener): void {
    const { endpoint: { address }, socket } = listener;
    // A closed listener may be closed again after another one has taken its place.
    if (this.#listeners.get(address) !== listener) return;
    this.#listeners.delete(address);
    this.#counted(-1);
    if (socket === this.#shared) {
      if (this.#listeners.size > 0) return;
      this.#shared = undefined;
    }
    this.#release(socket);
    this.#forget();
  }

  #release(socket: TcpSocket): void {
    socket.close();
    const closing = socket.released.then(() => {
      this.#closing.delete(closing);
      this.#forget();
    });
    this.#closing.add(closing);
  }

  #forget(): void {
    if (this.#listeners.size + this.#queued + this.#closing.size === 0) this.#unused();
  }
}

/** Whether the kernel would refuse one of these addresses beside the other on the same port. */
function overlap(a: string, b: string): boolean {
  if (a === b || a === "*" || b === "*") return true;
  if (a.includes(":") !== b.includes(":")) return false;
  return [a, b].some((address) => address === "::" || address === "0.0.0.0");
}

/** Binds and closes again. Deno can't bind without listening, but nothing is accepted. */
function spare(endpoint: Endpoint, port: number): void {
  listen(endpoint, port).close();
}

/** @throws {BindError} if the system doesn't grant it */
function listen(endpoint: Endpoint, port: number): Deno.TcpListener {
  const hostname = endpoint.address === "*" ? "::" : endpoint.address;
  try {
    return Deno.listen({ hostname, port, tcpBacklog: BACKLOG });
  } catch (error) {
    throw bindFailure(endpoint, error);
  }
}
