/**
 * The UDP peers that the portable backend serves.
 *
 * Theory of operation. A flow belongs to a peer of one listening socket. It has a socket of its own, from which the
 * peer's datagrams go to the target that the listener had when the flow began; what comes back from exactly there goes
 * to the peer through the listening socket.
 *
 *     first datagram ─▶ flowing ── no datagram either way for the idle time ─▶ ended
 *                          └─ listener closed, socket failed ─▶ ended
 *
 * Invariants: a flow is in its listener's map and in the set of all flows, or in neither. One timer for all flows looks
 * for idle ones, and runs only while there are flows. A flow's socket isn't connected, so an ICMP error about a target
 * that isn't there (yet) is nobody's error; datagrams from elsewhere are dropped by their source.
 *
 * @module
 */

import type { Socket } from "node:dgram";
import { errorText, systemErrorOf } from "../errno.ts";
import type { Episode, Limit } from "../episode.ts";
import { bindSocket, closeSocket, familyOf, Sender } from "./udp_socket.ts";

/** How often in an idle time flows are looked at; they live at most this much longer: a quarter. */
const SWEEPS = 4;

/** Where a flow goes. */
export interface UdpTarget {
  /** A numeric address in canonical form. */
  readonly address: string;
  readonly port: number;
}

/** All UDP flows of one backend. */
export class UdpFlows {
  readonly #limit: Limit;
  readonly #idle: number;
  readonly #failing: Episode;
  readonly #flows = new Set<UdpFlow>();
  #timer: ReturnType<typeof setInterval> | undefined;

  /** `idle` in milliseconds; `failing` is told when there is no socket for a flow. */
  constructor(limit: Limit, idle: number, failing: Episode) {
    this.#limit = limit;
    this.#idle = idle;
    this.#failing = failing;
  }

  /** How many peers are being served. */
  get count(): number {
    return this.#flows.size;
  }

  /**
   * Begins a flow, unless there are too many or no socket is to be had. `reply` gets what comes back; `ended` is called
   * once when the flow is over.
   */
  begin(target: UdpTarget, reply: (data: Uint8Array) => void, ended: () => void): UdpFlow | undefined {
    if (!this.#limit.admits(this.#flows.size)) return undefined;
    let socket: Socket;
    try {
      socket = bindSocket(familyOf(target.address) === "udp6" ? "::" : "0.0.0.0", 0);
    } catch (error) {
      this.#failing.begin(errorText(systemErrorOf(error)));
      return undefined;
    }
    this.#failing.end();
    const flow = new UdpFlow(socket, target, reply, () => {
      this.#flows.delete(flow);
      this.#limit.left(this.#flows.size);
      if (this.#flows.size === 0) this.#rest();
      ended();
    });
    this.#flows.add(flow);
    this.#timer ??= setInterval(() => this.#sweep(), Math.max(1, this.#idle / SWEEPS));
    return flow;
  }

  #sweep(): void {
    const oldest = performance.now() - this.#idle;
    for (const flow of this.#flows) if (flow.lastUsed <= oldest) flow.end();
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** One peer of one listening socket. */
export class UdpFlow {
  /** In the time of `performance.now()`. */
  lastUsed: number = performance.now();
  readonly #socket: Socket;
  readonly #sender: Sender;
  readonly #target: UdpTarget;
  readonly #ended: () => void;
  #over = false;

  constructor(socket: Socket, target: UdpTarget, reply: (data: Uint8Array) => void, ended: () => void) {
    this.#socket = socket;
    this.#sender = new Sender(socket);
    this.#target = target;
    this.#ended = ended;
    socket.on("message", (data, source) => {
      if (source.port !== target.port || source.address !== target.address) return;
      this.lastUsed = performance.now();
      reply(data);
    });
    socket.on("error", () => this.end());
  }

  /** Passes a datagram of the peer on. */
  send(data: Uint8Array): void {
    this.lastUsed = performance.now();
    this.#sender.send(data, this.#target.port, this.#target.address);
  }

  /** Calling it twice is harmless. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    closeSocket(this.#socket);
    this.#ended();
  }
}
