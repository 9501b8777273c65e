/**
 * The UDP peers that the Linux backend serves.
 *
 * Theory of operation. A flow belongs to a peer of one listening socket, and to the address that the peer wrote to. It has a
 * socket of its own, connected to the target that the listener had when the flow began, so that the kernel drops what
 * comes from elsewhere; what comes back goes to the peer through the listening socket, from that address.
 *
 *     first datagram ─▶ flowing ── no datagram either way for the idle time ─▶ ended
 *                          └─ listener closed ─▶ ended
 *
 * At the limit a new peer is ignored, and nobody gives way to it: those who flood us with new addresses must not be able to
 * end the flows of others. What bounds their number is said in `local_ports.ts`.
 *
 * Invariants: a flow is in its listener's map and in the set of all flows, or in neither. One timer for all flows looks
 * for idle ones, and runs only while there are flows. An ICMP error about a target that isn't there (yet) ends nothing.
 *
 * @module
 */

import { errorText, systemErrorOfNumber } from "../errno.ts";
import type { Episode, Limit } from "../episode.ts";
import { BATCH, Datagrams } from "./datagrams.ts";
import type { DescriptorBudget } from "./descriptors.ts";
import { ERRNO, type Libc } from "./libc.ts";
import type { Namespace } from "./namespaces.ts";
import type { Reactor, Source } from "./reactor.ts";
import type { SocketAddress } from "./socket_address.ts";
import { makeSocket } from "./sockets.ts";
import type { Seat } from "./udp_peers.ts";

/** How often in an idle time flows are looked at; they live at most this much longer: a quarter. */
const SWEEPS = 4;

/** What the flows need from their backend. */
export interface UdpFlowsParts {
  readonly libc: Libc;
  readonly reactor: Reactor;
  readonly budget: DescriptorBudget;
  readonly limit: Limit;
  /** Told when there is no socket for a flow. */
  readonly failing: Episode;
  /** Milliseconds. */
  readonly idle: number;
  /** Where targets are. */
  readonly namespace: Namespace | undefined;
}

/** The way back to a flow's peer. */
export interface WayBack {
  /** The listening socket. */
  readonly descriptor: number;
  /** The peer's socket address. */
  readonly name: Uint8Array;
  /** The control message that says from which address. */
  readonly control: Uint8Array;
}

/** All UDP flows of one backend. */
export class UdpFlows {
  readonly libc: Libc;
  readonly reactor: Reactor;
  readonly datagrams: Datagrams;
  readonly #parts: UdpFlowsParts;
  readonly #flows = new Set<UdpFlow>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(parts: UdpFlowsParts) {
    this.#parts = parts;
    this.libc = parts.libc;
    this.reactor = parts.reactor;
    this.datagrams = new Datagrams(parts.libc);
  }

  /** How many peers are being served. */
  get count(): number {
    return this.#flows.size;
  }

  /** Begins a flow in `seat`, unless there are too many or no socket is to be had. */
  begin(target: SocketAddress, way: WayBack, seat: Seat<UdpFlow>): UdpFlow | undefined {
    const { libc, reactor, budget, limit, failing, namespace } = this.#parts;
    if (!limit.admits(this.#flows.size)) return undefined;
    if (!budget.admits(1)) {
      failing.begin(`${budget.max} file descriptors are in use, the most allowed`);
      return undefined;
    }
    const descriptor = makeSocket(libc, target.family, "udp", namespace);
    if (descriptor < 0) {
      failing.begin(errorText(systemErrorOfNumber(-descriptor)));
      return undefined;
    }
    if (libc.call.connect(descriptor, target.bytes, target.bytes.length) < 0) {
      const error = systemErrorOfNumber(libc.errno);
      // So a socket is told that there is no port for it.
      failing.begin(errorText(error.errno === ERRNO.EAGAIN ? { ...error, text: "no local port is free" } : error));
      libc.call.close(descriptor);
      return undefined;
    }
    const flow = new UdpFlow(this, descriptor, way, seat);
    if (!reactor.add(descriptor, flow)) {
      failing.begin(errorText(systemErrorOfNumber(libc.errno)));
      libc.call.close(descriptor);
      return undefined;
    }
    budget.use(1);
    this.#flows.add(flow);
    seat.table.set(seat.key, flow);
    this.#timer ??= setInterval(() => this.#sweep(), Math.max(1, this.#parts.idle / SWEEPS));
    return flow;
  }

  /** A flow's socket is closed. */
  ended(flow: UdpFlow): void {
    const { budget, limit, failing } = this.#parts;
    if (!this.#flows.delete(flow)) return;
    budget.use(-1);
    limit.left(this.#flows.size);
    if (this.#flows.size > 0) return;
    failing.end();
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Ends all flows. */
  [Symbol.dispose](): void {
    for (const flow of this.#flows) flow.end();
  }

  #sweep(): void {
    const oldest = performance.now() - this.#parts.idle;
    for (const flow of this.#flows) if (flow.lastUsed <= oldest) flow.end();
  }
}

/** One peer of one listening socket. */
export class UdpFlow implements Source {
  generation = 0;
  /** As {@linkcode Reactor.now}. */
  lastUsed: number;
  readonly #flows: UdpFlows;
  readonly #descriptor: number;
  readonly #way: WayBack;
  readonly #seat: Seat<UdpFlow>;
  #over = false;

  constructor(flows: UdpFlows, descriptor: number, way: WayBack, seat: Seat<UdpFlow>) {
    this.#flows = flows;
    this.#descriptor = descriptor;
    this.#way = way;
    this.#seat = seat;
    this.lastUsed = flows.reactor.now;
  }

  /** Passes datagrams of the present batch on to the target. */
  send(first: number, count: number): void {
    this.lastUsed = this.#flows.reactor.now;
    this.#flows.datagrams.send(this.#descriptor, first, count);
  }

  ready(): void {
    if (this.#over) return;
    const { reactor, datagrams, libc } = this.#flows;
    const { descriptor, name, control } = this.#way;
    const count = datagrams.receive(this.#descriptor);
    if (count > 0) {
      this.lastUsed = reactor.now;
      datagrams.sendToPeer(descriptor, count, name, control);
      datagrams.clear(count);
    }
    // Any other error came back for an earlier datagram, and is told once.
    if (count === BATCH || (count < 0 && libc.errno !== ERRNO.EAGAIN)) reactor.again(this);
  }

  /** Calling it twice is harmless. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#flows.reactor.remove(this.#descriptor);
    this.#flows.libc.call.close(this.#descriptor);
    this.#seat.table.delete(this.#seat.key);
    this.#flows.ended(this);
  }
}
