/**
 * A UDP endpoint with its socket.
 *
 * A datagram goes to the flow of its peer, which is begun if need be; neighbours of the same flow go in one call. On a
 * wildcard the kernel tells to which address each was sent, and the answers leave from there. While parked, a listener
 * begins no flows; the flows that there are go on. Closing it ends them: without its socket they have no way back.
 *
 * @module
 */

import type { Endpoint, Route } from "../backend.ts";
import { BATCH, CONTROL_STRIDE, NAME_STRIDE } from "./datagrams.ts";
import { C, ERRNO } from "./libc.ts";
import { LinuxListener } from "./listener.ts";
import { answerControl, NO_CONTROL } from "./packet_info.ts";
import { socketAddressIn } from "./socket_address.ts";
import { tellDestinations, widen } from "./sockets.ts";
import type { UdpFlow, UdpFlows } from "./udp_flows.ts";
import { UdpPeers } from "./udp_peers.ts";

/** Address families of the endpoints at which datagrams to several addresses of this machine arrive. */
const WILDCARDS: ReadonlyMap<string, number> = new Map([["*", C.AF_INET6], ["::", C.AF_INET6], ["0.0.0.0", C.AF_INET]]);

/** A bound UDP socket. */
export class LinuxUdpListener extends LinuxListener {
  readonly #flows: UdpFlows;
  readonly #tellsDestination: boolean;
  /** Made for the first datagram. */
  #peers: UdpPeers<UdpFlow> | undefined;

  /** As {@linkcode LinuxListener}. */
  constructor(
    flows: UdpFlows,
    endpoint: Endpoint,
    route: Route,
    descriptor: number,
    closed: (descriptor: number) => void,
  ) {
    super(flows, endpoint, route, descriptor, closed);
    this.#flows = flows;
    const family = WILDCARDS.get(endpoint.address);
    this.#tellsDestination = family !== undefined && tellDestinations(flows.libc, descriptor, family);
    widen(flows.libc, descriptor);
  }

  ready(): void {
    const { reactor, datagrams, libc } = this.#flows;
    if (!this.isOpen) return;
    const count = datagrams.receiveFromPeers(this.descriptor);
    if (count > 0) {
      this.#pass(count);
      datagrams.clear(count);
    }
    if (count === BATCH || (count < 0 && libc.errno !== ERRNO.EAGAIN)) reactor.again(this);
  }

  protected abandon(): void {
    if (this.#peers === undefined) return;
    for (const flow of this.#peers.all()) flow.end();
  }

  #pass(count: number): void {
    const peers = this.#peers ??= new UdpPeers(this.#flows.datagrams, this.#tellsDestination);
    for (let first = 0; first < count;) {
      const flow = peers.find(first) ?? this.#begin(peers, first);
      let end = first + 1;
      while (end < count && flow !== undefined && peers.find(end) === flow) end++;
      flow?.send(first, end - first);
      first = end;
    }
  }

  /** Begins a flow for the peer of the datagram at `at` of the batch. */
  #begin(peers: UdpPeers<UdpFlow>, at: number): UdpFlow | undefined {
    if (this.parked) return undefined;
    const { names, controls } = this.#flows.datagrams;
    const name = socketAddressIn(names, at * NAME_STRIDE);
    const control = this.#tellsDestination ? answerControl(controls.subarray(at * CONTROL_STRIDE)) : NO_CONTROL;
    const way = { descriptor: this.descriptor, name, control };
    return this.#flows.begin(this.target, way, peers.seat(at));
  }
}
