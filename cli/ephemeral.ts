/**
 * The kernel's range of ephemeral ports, which `all` and exclusions leave out.
 *
 * @module
 */

import { DYNAMIC_PORTS, type PortRange } from "../codec/specifier.ts";

/** Where Linux tells the range. Source: ip(7), "ip_local_port_range". */
const SOURCE = "/proc/sys/net/ipv4/ip_local_port_range";

/** First and last ephemeral port. */
export function ephemeralPorts(): PortRange {
  let text: string;
  try {
    text = Deno.readTextFileSync(SOURCE);
  } catch {
    return DYNAMIC_PORTS;
  }
  const [first, last] = text.trim().split(/\s+/).map(Number);
  return first === undefined || last === undefined || !(first <= last) ? DYNAMIC_PORTS : { first, last };
}
