/**
 * What a socket backend has to be able to do: bind, listen and relay. `portable.ts` does it with Deno's own sockets.
 * `tests/sync/backend_conformance.ts` says the same as a test suite, which every backend runs.
 *
 * @module
 */

import { PestoError } from "../codec/errors.ts";
import type { Protocol } from "../codec/types.ts";

/** What one listening socket is bound to. */
export interface Endpoint {
  /** Transport protocol. */
  readonly protocol: Protocol;
  /** `"*"` for dual stack, otherwise an address in canonical text form; `"::"` is IPv6 only. */
  readonly address: string;
  /** Absent for any interface. */
  readonly interface?: string;
  /** 1 to 65535. */
  readonly port: number;
}

/** Where an endpoint's flows go: to `address`, at the listening port plus `shift`. One object serves a whole rule. */
export interface Route {
  /** A numeric address. */
  readonly address: string;
  /** Target port minus listening port, may be negative. */
  readonly shift: number;
}

/**
 * A bound socket that relays what arrives to its route.
 *
 *     open() → serving ⇄ parked → closed
 *
 * Established flows are not the listener's: they go on, to the target that they began with, when it is re-routed or
 * parked, and TCP ones also when it is closed. UDP flows end then: what comes back can reach the peer only from the port
 * that it wrote to, and nobody can hold that port and give it up to others at once.
 */
export interface Listener {
  readonly endpoint: Endpoint;
  /**
   * The same as long as the socket is the same, different for every other socket of this process. Endpoints that one
   * socket has to stand for share it.
   */
  readonly socketId: number;
  /** New flows are relayed to this route from the moment it is set. */
  route: Route;
  /** Still bound, so that nobody else can take the port, but refusing what arrives: TCP connections are reset, datagrams dropped. */
  parked: boolean;
  /** Gives the port up, at once. Calling it twice is harmless. */
  close(): void;
}

/** What is going on in a backend. */
export interface BackendCounts {
  readonly listeners: number;
  readonly tcpFlows: number;
  readonly udpFlows: number;
}

/** A way of binding and relaying. Disposing of it closes all its listeners and flows. */
export interface Backend extends AsyncDisposable {
  readonly name: "portable" | "linux";
  /** Bits of `CAPABILITY` in codec/constants.ts. */
  readonly capabilities: number;
  readonly counts: BackendCounts;
  /**
   * Binds, listens, and relays from then on. Once it has returned, or resolved, a connection to the endpoint is not refused.
   * A backend that has the listener at once gives it at once: promises for each of thousands of ports are a good part of
   * what opening them costs.
   *
   * @throws {BindError} (or rejects with it) if the system doesn't grant it
   */
  open(endpoint: Endpoint, route: Route): Listener | Promise<Listener>;
  /**
   * Finds out on a spare socket whether `open` would work, and leaves nothing behind.
   *
   * @throws {BindError} (as a rejection) if the system doesn't grant it
   */
  probe(endpoint: Endpoint): Promise<void>;
}

/** Bounds and habits of a backend's relays. */
export interface BackendOptions {
  /** The most TCP connections relayed at once; further ones wait in the kernel's backlog. */
  readonly maxConnections?: number;
  /** The most UDP peers served at once; datagrams of further ones are dropped, until one of those served has been idle. */
  readonly maxUdpFlows?: number;
  /** Milliseconds after which a UDP flow without a datagram in either direction ends. */
  readonly udpIdle?: number;
  /** Milliseconds that a connection to a target may take to be established. */
  readonly connectTimeout?: number;
  /** Told of what an operator wants to know; one sentence each. */
  readonly log?: (message: string) => void;
}

/**
 * A socket could not be bound. `code` is the error's name, as `EADDRINUSE`.
 *
 * @example What it says
 * ```ts
 * import { BindError } from "../mod.ts";
 *
 * const endpoint = { protocol: "tcp", address: "127.0.0.1", port: 80 } as const;
 * const error = new BindError(endpoint, "EADDRINUSE", 98, "Can't listen on TCP [127.0.0.1]:80: address in use (EADDRINUSE)");
 * console.log(error.code, error.errno, error.endpoint.port); // EADDRINUSE 98 80
 * ```
 */
export class BindError extends PestoError {
  /** Name of the class. */
  override readonly name = "BindError";
  /** What it was to be bound to. */
  readonly endpoint: Endpoint;
  /** Linux's error number. */
  readonly errno: number;
  /** Takes the error's name and number beside the sentence. */
  constructor(endpoint: Endpoint, code: string, errno: number, message: string, options?: ErrorOptions) {
    super(code, message, options);
    this.endpoint = endpoint;
    this.errno = errno;
  }
}
