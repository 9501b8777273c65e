/**
 * The socket backend for Linux: the system's own calls, through FFI to the C library.
 *
 * How it works is said where it is done: `linux/reactor.ts` waits for events, `linux/tcp_flow.ts` and
 * `linux/udp_flows.ts` relay, `linux/namespaces.ts` enters network namespaces, and `linux/libc.ts` is the only file that
 * knows the C library.
 *
 * @module
 */

import { PestoError } from "../codec/errors.ts";
import type { Backend, BackendCounts, BackendOptions, Endpoint, Listener, Route } from "./backend.ts";
import { bindErrorOf } from "./bind_failure.ts";
import { endpointText } from "./endpoint.ts";
import { systemError } from "./errno.ts";
import { foundCapabilities } from "./linux/capabilities.ts";
import { DescriptorBudget } from "./linux/descriptors.ts";
import { type Libc, openLibc } from "./linux/libc.ts";
import type { LinuxListener } from "./linux/listener.ts";
import { portsForUdpPeers } from "./linux/local_ports.ts";
import { Namespace } from "./linux/namespaces.ts";
import { Pipes } from "./linux/pipes.ts";
import { Reactor } from "./linux/reactor.ts";
import { checkRoute } from "./linux/socket_address.ts";
import { bindEndpoint, listenOn } from "./linux/sockets.ts";
import { TcpFlows } from "./linux/tcp_flows.ts";
import { LinuxTcpListener } from "./linux/tcp_listener.ts";
import { UdpFlows } from "./linux/udp_flows.ts";
import { LinuxUdpListener } from "./linux/udp_listener.ts";
import { Episode } from "./episode.ts";
import { attending } from "./slices.ts";
import { relayBounds, tcpLimit, udpLimit } from "./relay_limits.ts";

export { listenOnLinux } from "./linux/control_listener.ts";
export { givenDescriptor, sendDatagram, writeAndClose } from "./linux/supervision.ts";
export { readSystemFile } from "./linux/system_file.ts";

/**
 * What is taken for bounds that aren't given. The number of flows is bounded by the limit of file descriptors, too, and that
 * of UDP peers by the ephemeral ports, as `linux/local_ports.ts` says.
 */
const DEFAULTS = {
  maxConnections: 65536,
  maxUdpFlows: 65536,
  // RFC 4787, requirement 5: not less than two minutes.
  udpIdle: 120_000,
  connectTimeout: 10_000,
} as const;

/** Processors whose struct layouts `linux/libc.ts` knows. */
const ARCHITECTURES: readonly string[] = ["x86_64", "aarch64"];

/** Bounds and habits of a Linux backend, and where its sockets are. */
export interface LinuxBackendOptions extends BackendOptions {
  /** Network namespace to listen in, as `/run/netns/NAME` or `/proc/PID/ns/net`; absent for the program's own. */
  readonly listenNamespace?: string;
  /** Network namespace to connect to targets in; absent for the program's own. */
  readonly connectNamespace?: string;
}

/** Whether the Linux backend can be used. */
export type LinuxAvailability =
  | { readonly kind: "available" }
  | { readonly kind: "unavailable"; readonly reason: string };

/** Finds out, without asking for any permission, whether {@linkcode linuxBackend} can be used here. */
export function linuxAvailable(): LinuxAvailability {
  const found = findLibc();
  if (found.kind === "unavailable") return found;
  found.libc[Symbol.dispose]();
  return { kind: "available" };
}

/** {@linkcode linuxBackend}, if it can be used here. It throws what that throws. */
export function linuxBackendIfAvailable(
  options: LinuxBackendOptions,
): { readonly kind: "made"; readonly backend: Backend } | Extract<LinuxAvailability, { kind: "unavailable" }> {
  const found = findLibc();
  if (found.kind === "unavailable") return found;
  // Opening the library takes a good part of a server's start; whoever holds it now spares the backend that.
  using _libc = found.libc;
  return { kind: "made", backend: linuxBackend(options) };
}

function findLibc():
  | { readonly kind: "found"; readonly libc: Libc }
  | Extract<LinuxAvailability, { kind: "unavailable" }> {
  const { os, arch } = Deno.build;
  if (os !== "linux") return { kind: "unavailable", reason: `this system is ${os}` };
  if (!ARCHITECTURES.includes(arch)) return { kind: "unavailable", reason: `this processor is ${arch}` };
  if (Deno.permissions.querySync({ name: "ffi" }).state !== "granted") {
    return { kind: "unavailable", reason: "using FFI is not permitted (--allow-ffi)" };
  }
  try {
    return { kind: "found", libc: openLibc() };
  } catch (error) {
    return { kind: "unavailable", reason: error instanceof Error ? error.message : `${error}` };
  }
}

/**
 * A backend of Linux's own sockets. Its capabilities are what was found to work when it was made.
 *
 * @throws {RangeError} if a bound or time isn't a positive number
 * @throws {PestoError} if a namespace can't be entered, with the system's error as its code
 * @throws {Error} if the C library can't be used, see {@linkcode linuxAvailable}
 */
export function linuxBackend(options: LinuxBackendOptions = {}): Backend {
  return new LinuxBackend(options);
}

class LinuxBackend implements Backend {
  readonly name = "linux";
  readonly capabilities: number;
  readonly #libc: Libc;
  readonly #budget: DescriptorBudget;
  readonly #reactor: Reactor;
  readonly #listenNamespace: Namespace | undefined;
  readonly #tcpFlows: TcpFlows;
  readonly #udpFlows: UdpFlows;
  /** By descriptor: keeping thousands of them in a set is a good part of what they cost beside the kernel. */
  readonly #listeners: (Listener | undefined)[] = [];
  #listenerCount = 0;
  readonly #opened: AsyncDisposableStack;
  readonly #closed = (descriptor: number) => {
    this.#listeners[descriptor] = undefined;
    this.#listenerCount--;
    this.#budget.use(-1);
  };
  #disposed = false;

  constructor(options: LinuxBackendOptions) {
    const bounds = relayBounds(options, DEFAULTS);
    const log = options.log ?? (() => {});
    using opened = new DisposableStack();
    const libc = opened.use(openLibc());
    const enter = (path: string | undefined) => path === undefined ? undefined : opened.use(new Namespace(libc, path));
    this.#libc = libc;
    this.#listenNamespace = enter(options.listenNamespace);
    const namespace = enter(options.connectNamespace);
    this.capabilities = foundCapabilities(libc, this.#listenNamespace);
    const budget = this.#budget = new DescriptorBudget(libc);
    const pipes = opened.use(new Pipes(libc, budget));
    const reactor = this.#reactor = new Reactor(libc);
    const parts = { libc, reactor, budget, namespace };
    const { connectTimeout, udpIdle: idle } = bounds;
    const maxUdpFlows = options.maxUdpFlows ?? Math.min(DEFAULTS.maxUdpFlows, portsForUdpPeers(namespace));
    const failing = (what: string) => new Episode(log, what);
    this.#tcpFlows = new TcpFlows({
      ...parts,
      pipes,
      limit: tcpLimit(bounds, log),
      failing: failing("Can't relay more TCP connections"),
      connectTimeout,
    });
    this.#udpFlows = new UdpFlows({
      ...parts,
      limit: udpLimit({ ...bounds, maxUdpFlows }, log),
      failing: failing("Can't serve more UDP peers"),
      idle,
    });
    this.#opened = new AsyncDisposableStack();
    this.#opened.use(opened.move());
    this.#opened.use(budget);
    this.#opened.use(reactor);
    this.#opened.use(attending(() => reactor.attend()));
    this.#opened.use(this.#udpFlows);
    this.#opened.use(this.#tcpFlows);
  }

  get counts(): BackendCounts {
    return {
      listeners: this.#listenerCount,
      tcpFlows: this.#tcpFlows.count,
      udpFlows: this.#udpFlows.count,
    };
  }

  open(endpoint: Endpoint, route: Route): Listener {
    this.#check(endpoint);
    const listener = this.#listen(endpoint, route);
    this.#listeners[listener.descriptor] = listener;
    this.#listenerCount++;
    this.#budget.use(1);
    return listener;
  }

  // deno-lint-ignore require-await -- what is thrown must become a rejection
  async probe(endpoint: Endpoint): Promise<void> {
    this.#check(endpoint);
    this.#libc.call.close(bindEndpoint(this.#libc, endpoint, this.#listenNamespace));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    for (const listener of this.#listeners) listener?.close();
    await this.#opened.disposeAsync();
  }

  /** Looks at the route before it touches anything. */
  #listen(endpoint: Endpoint, route: Route): LinuxListener {
    checkRoute(route);
    switch (endpoint.protocol) {
      case "tcp": {
        const descriptor = listenOn(this.#libc, endpoint, this.#listenNamespace);
        return new LinuxTcpListener(this.#tcpFlows, endpoint, route, descriptor, this.#closed);
      }
      case "udp": {
        const descriptor = bindEndpoint(this.#libc, endpoint, this.#listenNamespace);
        return new LinuxUdpListener(this.#udpFlows, endpoint, route, descriptor, this.#closed);
      }
      default:
        return endpoint.protocol satisfies never;
    }
  }

  #check(endpoint: Endpoint): void {
    if (this.#disposed) {
      throw new PestoError("internal", `Can't listen on ${endpointText(endpoint)}: the backend is disposed of`);
    }
    const full = this.#listenerCount >= this.#budget.maxListeners || !this.#budget.admits(1);
    if (full) throw bindErrorOf(endpoint, systemError("EMFILE"));
  }
}
