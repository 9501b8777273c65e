/**
 * How many UDP peers the system's ephemeral ports allow for.
 *
 * Each peer has a socket of its own towards the target, so that answers find their peer and strangers' datagrams are
 * dropped. The kernel gives such a socket its port before it looks at the target, and gives no port twice in a network
 * namespace: so the bound is one for all targets together, and what the peers take nobody else has. Were it all, no
 * other program there could even look a name up. Sharing ports between targets (SO_REUSEADDR) would mean to choose them here,
 * and to be open to other flows' datagrams between binding and connecting; further source addresses exist for loopback only,
 * and targets that go by the source address wouldn't know them.
 *
 * @module
 */

import { PestoError } from "../../codec/errors.ts";
import type { Namespace } from "./namespaces.ts";
import { readSystemFile } from "./system_file.ts";

/** The first and the last ephemeral port, for IPv6, too. Each namespace has its own. */
const RANGE_FILE = "/proc/sys/net/ipv4/ip_local_port_range";
/** What is taken for it if the system doesn't tell: its default. */
const USUAL_RANGE = "32768 60999";
/** The part of them that is left to others: 3,529 of the default's 28,232. */
const KEPT_PART = 1 / 8;

/** The most UDP peers to be served with sockets in a namespace: 24,703 where the system is left at its defaults. */
export function portsForUdpPeers(namespace?: Namespace): number {
  const text = namespace === undefined ? rangeText() : namespace.within(rangeText, () => USUAL_RANGE);
  const [first = 0, last = 0] = text.trim().split(/\s+/).map(Number);
  const count = last - first + 1;
  return Math.max(1, Math.floor(count * (1 - KEPT_PART)));
}

function rangeText(): string {
  try {
    return readSystemFile(RANGE_FILE);
  } catch (error) {
    if (error instanceof PestoError) return USUAL_RANGE;
    throw error;
  }
}
