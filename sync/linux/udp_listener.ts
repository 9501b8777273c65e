/**
 * A UDP endpoint with its socket.
 *
 * A datagram goes to the flow of its peer, which is begun if need be; neighbours of the same flow go in one call. On a
 * wildcard the kernel tells to which address each was sent, and the answers leave from there. While parked, a listener
 * begins no flows; the flows that there are go on. Closing it ends them: without its socket they have no way back.
 *
 * @module
 */

import type { Endpoint, Listener, Route } from "../backend.ts";
import { nextSocketId } from "../socket_id.ts";
import { BATCH, CONTROL_STRIDE, NAME_STRIDE } from "./datagrams.ts";
import { ERRNO } from "./libc.ts";
import { answerControl, NO_CONTROL } from "./packet_info.ts";
import type { Source } from "./reactor.ts";
import { type SocketAddress, socketAddress, targetOf } from "./socket_address.ts";
import { refused, tellDestinations, widen } from "./sockets.ts";
import type { UdpFlow, UdpFlows } from "./udp_flows.ts";
import { UdpPeers } from "./udp_peers.ts";

const WILDCARDS: readonly string[] = ["*", "::", "0.0.0.0"];

/** A bound UDP socket. */
export class LinuxUdpListener implements Listener, Source {
  generation = 0;
  readonly endpoint: Endpoint;
  readonly socketId: number = nextSocketId();
  parked = false;
  readonly #flows: UdpFlows;
  readonly #descriptor: number;
  readonly #closed: () => void;
  readonly #peers: UdpPeers<UdpFlow>;
  readonly #nameSize: number;
  readonly #tellsDestination: boolean;
  #route: Route;
  #target: SocketAddress;
  #open = true;

  /**
   * Takes over the descriptor of a socket that is bound to `endpoint`; `closed` is called once.
   *
   * @throws {BindError} if the system doesn't let it be watched; the descriptor is closed then
   */
  constructor(flows: UdpFlows, endpoint: Endpoint, route: Route, descriptor: number, closed: () => void) {
    this.#flows = flows;
    this.endpoint = endpoint;
    this.#route = route;
    this.#target = targetOf(endpoint, route);
    this.#descriptor = descriptor;
    this.#closed = closed;
    const { family, bytes } = socketAddress(endpoint.address, endpoint.port);
    this.#nameSize = bytes.length;
    this.#tellsDestination = WILDCARDS.includes(endpoint.address) && tellDestinations(flows.libc, descriptor, family);
    this.#peers = new UdpPeers(flows.datagrams, this.#tellsDestination);
    widen(flows.libc, descriptor);
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
    for (const flow of this.#peers.all()) flow.end();
    this.#flows.reactor.remove(this.#descriptor);
    this.#flows.libc.call.close(this.#descriptor);
    this.#closed();
  }

  ready(): void {
    const { reactor, datagrams, libc } = this.#flows;
    if (!this.#open) return;
    const count = datagrams.receiveFromPeers(this.#descriptor);
    if (count > 0) {
      this.#pass(count);
      datagrams.clear(count);
    }
    if (count === BATCH || (count < 0 && libc.errno !== ERRNO.EAGAIN)) reactor.again(this);
  }

  #pass(count: number): void {
    for (let first = 0; first < count;) {
      const flow = this.#flowOf(first);
      let end = first + 1;
      while (end < count && flow !== undefined && this.#peers.find(end) === flow) end++;
      flow?.send(first, end - first);
      first = end;
    }
  }

  #flowOf(at: number): UdpFlow | undefined {
    const known = this.#peers.find(at);
    if (known !== undefined || this.parked) return known;
    const { names, controls } = this.#flows.datagrams;
    const name = names.slice(at * NAME_STRIDE, at * NAME_STRIDE + this.#nameSize);
    const control = this.#tellsDestination ? answerControl(controls.subarray(at * CONTROL_STRIDE)) : NO_CONTROL;
    const way = { descriptor: this.#descriptor, name, control };
    return this.#flows.begin(this.#target, way, this.#peers.seat(at));
  }
}
