/**
 * The socket backend made of what Deno and Node.js offer everywhere, without FFI.
 *
 * How it works, and what the runtime keeps it from, is said where it is done: `portable/tcp_ports.ts` for listening
 * (no IPv6-only TCP sockets), `portable/tcp_flows.ts` for relaying TCP (no resets), `portable/udp_ports.ts` and
 * `portable/udp_flows.ts` for UDP (no choice of the source address on a wildcard). There is no binding to interfaces.
 *
 * @module
 */

import { CAPABILITY } from "../codec/constants.ts";
import { PestoError } from "../codec/errors.ts";
import type { Backend, BackendCounts, BackendOptions, Endpoint, Listener, Route } from "./backend.ts";
import { bindErrorOf } from "./bind_failure.ts";
import { endpointText } from "./endpoint.ts";
import { systemError } from "./errno.ts";
import { Episode } from "./episode.ts";
import { maxListeners } from "./portable/file_limit.ts";
import { TcpFlows } from "./portable/tcp_flows.ts";
import { TcpPorts } from "./portable/tcp_ports.ts";
import { UdpFlows } from "./portable/udp_flows.ts";
import { UdpPorts } from "./portable/udp_ports.ts";
import { needingTurns } from "./slices.ts";
import { relayBounds, tcpLimit, udpLimit } from "./relay_limits.ts";

/** What is taken for options that aren't given. Bounds leave room under a limit of 16,384 file descriptors. */
const DEFAULTS = {
  maxConnections: 4096,
  maxUdpFlows: 4096,
  // RFC 4787, requirement 5: not less than two minutes.
  udpIdle: 120_000,
  connectTimeout: 10_000,
} as const;

/**
 * Turns of Deno's event loop after which it looks at its sockets, while there is something to do in each turn: the
 * `event_interval` of tokio, which it runs on. A turn with nothing in it takes 4 µs. While 10,000 ports were opened and
 * closed in 0.3 s each, 99.9 % of relayed round trips took at most 280 to 430 ms with one turn between slices, and 41 with
 * these; what is left are the collector's pauses.
 */
const TURNS_PER_LOOK = 61;

/**
 * A backend of Deno's own sockets. Its capabilities are what was found to work when it was made.
 *
 * @throws {RangeError} if a bound or time isn't a positive number
 */
export function portableBackend(options: BackendOptions = {}): Backend {
  return new PortableBackend(options);
}

class PortableBackend implements Backend {
  readonly name = "portable";
  readonly capabilities: number = foundCapabilities();
  readonly #tcpFlows: TcpFlows;
  readonly #udpFlows: UdpFlows;
  readonly #tcpPorts: TcpPorts;
  readonly #udpPorts: UdpPorts;
  readonly #maxListeners = maxListeners();
  readonly #need = needingTurns(TURNS_PER_LOOK);
  #disposed = false;

  constructor(options: BackendOptions) {
    const log = options.log ?? (() => {});
    const bounds = relayBounds(options, DEFAULTS);
    this.#tcpFlows = new TcpFlows(tcpLimit(bounds, log), bounds.connectTimeout);
    this.#udpFlows = new UdpFlows(
      udpLimit(bounds, log),
      bounds.udpIdle,
      new Episode(log, "Can't serve more UDP peers"),
    );
    this.#tcpPorts = new TcpPorts(this.#tcpFlows, log);
    this.#udpPorts = new UdpPorts(this.#udpFlows);
  }

  get counts(): BackendCounts {
    return {
      listeners: this.#tcpPorts.count + this.#udpPorts.count,
      tcpFlows: this.#tcpFlows.count,
      udpFlows: this.#udpFlows.count,
    };
  }

  async open(endpoint: Endpoint, route: Route): Promise<Listener> {
    return await this.#portsFor(endpoint).open(endpoint, route);
  }

  async probe(endpoint: Endpoint): Promise<void> {
    await this.#portsFor(endpoint).probe(endpoint);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    this.#need[Symbol.dispose]();
    await Promise.all([this.#tcpPorts.close(), this.#udpPorts.close(), this.#tcpFlows.abort()]);
  }

  #portsFor(endpoint: Endpoint): TcpPorts | UdpPorts {
    if (this.#disposed) {
      throw new PestoError("internal", `Can't listen on ${endpointText(endpoint)}: the backend is disposed of`);
    }
    if (this.counts.listeners >= this.#maxListeners) throw bindErrorOf(endpoint, systemError("EMFILE"));
    if (endpoint.interface !== undefined) throw bindErrorOf(endpoint, systemError("EOPNOTSUPP"));
    switch (endpoint.protocol) {
      case "tcp":
        return this.#tcpPorts;
      case "udp":
        return this.#udpPorts;
      default:
        return endpoint.protocol satisfies never;
    }
  }
}

function foundCapabilities(): number {
  const families = (bindable("127.0.0.1") ? CAPABILITY.IPV4 : 0) | (bindable("::1") ? CAPABILITY.IPV6 : 0);
  return families | CAPABILITY.TCP | CAPABILITY.UDP | CAPABILITY.ANY_TARGET;
}

function bindable(hostname: string): boolean {
  try {
    Deno.listen({ hostname, port: 0 }).close();
    return true;
  } catch (error) {
    // A system that lacks the family says so with a code; without one it is Deno that doesn't permit listening.
    if (error instanceof Error && "code" in error) return false;
    throw error;
  }
}
