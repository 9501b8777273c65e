/**
 * The flows of one listening UDP socket, by the peer and by the address that the peer wrote to.
 *
 * Theory of operation. Both are looked up for every datagram, so they are made into keys without making objects: an IPv4
 * address with its port is a number, an IPv6 one a string. There are few addresses of our own and many peers, so a map of
 * the former holds maps of the latter; the one that was used last is remembered.
 *
 * @module
 */

import { C, LAYOUT } from "./libc.ts";
import { CONTROL_STRIDE, type Datagrams, NAME_STRIDE } from "./datagrams.ts";

const IN = LAYOUT.sockaddr_in;
const IN6 = LAYOUT.sockaddr_in6;
const { cmsghdr, in_pktinfo, in6_pktinfo } = LAYOUT;
/** Of an IPv4-mapped IPv6 address: the two bytes before the IPv4 one, and where that begins. */
const MAPPED_MARK = 0xffff;
const MAPPED_AT = 12;
const PORTS = 0x10000;

type Key = number | string;

/** A place in the map, which a flow gives back when it ends. */
export interface Seat<Flow> {
  readonly table: Map<Key, Flow>;
  readonly key: Key;
}

/** Flows by peer. */
export class UdpPeers<Flow> {
  readonly #tables = new Map<Key, Map<Key, Flow>>();
  readonly #names: DataView;
  readonly #controls: DataView;
  readonly #tellsDestination: boolean;
  #lastDestination: Key = 0;
  #lastTable: Map<Key, Flow>;

  /** Looks at what is received into `datagrams`, which has controls if `tellsDestination`. */
  constructor(datagrams: Datagrams, tellsDestination: boolean) {
    this.#names = new DataView(datagrams.names.buffer);
    this.#controls = new DataView(datagrams.controls.buffer);
    this.#tellsDestination = tellsDestination;
    this.#lastTable = new Map();
    this.#tables.set(this.#lastDestination, this.#lastTable);
  }

  /** The place of the peer of the datagram at `at` of the batch. */
  seat(at: number): Seat<Flow> {
    return { table: this.#tableOf(at), key: this.#peerOf(at) };
  }

  /** The flow of the datagram at `at` of the batch. */
  find(at: number): Flow | undefined {
    return this.#tableOf(at).get(this.#peerOf(at));
  }

  /** All flows. */
  *all(): Iterable<Flow> {
    for (const table of this.#tables.values()) yield* table.values();
  }

  #tableOf(at: number): Map<Key, Flow> {
    if (!this.#tellsDestination) return this.#lastTable;
    const destination = this.#destinationOf(at);
    if (destination === this.#lastDestination) return this.#lastTable;
    const table = this.#tables.get(destination) ?? new Map<Key, Flow>();
    this.#tables.set(destination, table);
    this.#lastDestination = destination;
    this.#lastTable = table;
    return table;
  }

  #peerOf(at: number): Key {
    const view = this.#names;
    const name = at * NAME_STRIDE;
    if (view.getUint16(name + IN.sin_family, true) === C.AF_INET) {
      return view.getUint32(name + IN.sin_addr) * PORTS + view.getUint16(name + IN.sin_port);
    }
    const port = view.getUint16(name + IN6.sin6_port);
    const address = name + IN6.sin6_addr;
    if (isMapped(view, address)) return view.getUint32(address + MAPPED_AT) * PORTS + port;
    const scope = view.getUint32(name + IN6.sin6_scope_id, true);
    return addressKey(view, address) + String.fromCharCode(port, scope & 0xffff, scope >>> 16);
  }

  #destinationOf(at: number): Key {
    const view = this.#controls;
    const control = at * CONTROL_STRIDE;
    const data = control + cmsghdr.size;
    if (view.getInt32(control + cmsghdr.cmsg_level, true) === C.IPPROTO_IP) {
      return view.getUint32(data + in_pktinfo.ipi_spec_dst);
    }
    const address = data + in6_pktinfo.ipi6_addr;
    if (isMapped(view, address)) return view.getUint32(address + MAPPED_AT);
    const index = view.getUint32(data + in6_pktinfo.ipi6_ifindex, true);
    return addressKey(view, address) + String.fromCharCode(index & 0xffff, index >>> 16);
  }
}

function isMapped(view: DataView, at: number): boolean {
  return view.getUint16(at + 10) === MAPPED_MARK && view.getUint32(at) === 0 && view.getUint32(at + 4) === 0 &&
    view.getUint16(at + 8) === 0;
}

function addressKey(view: DataView, at: number): string {
  return String.fromCharCode(
    view.getUint16(at),
    view.getUint16(at + 2),
    view.getUint16(at + 4),
    view.getUint16(at + 6),
    view.getUint16(at + 8),
    view.getUint16(at + 10),
    view.getUint16(at + 12),
    view.getUint16(at + 14),
  );
}
