/**
 * What this system lets the Linux backend do, found out by trying it on spare sockets.
 *
 * @module
 */

import { CAPABILITY } from "../../codec/constants.ts";
import type { Endpoint } from "../backend.ts";
import { BindError } from "../backend.ts";
import { C, type Libc } from "./libc.ts";
import type { Namespace } from "./namespaces.ts";
import { bindEndpoint, makeSocket, tellDestinations } from "./sockets.ts";

/** An interface that every namespace has. */
const LOOPBACK = "lo";

/** Bits of {@linkcode CAPABILITY}, for listening in a namespace. */
export function foundCapabilities(libc: Libc, namespace: Namespace | undefined): number {
  const binds = (address: string, name?: string): boolean => {
    const endpoint: Endpoint = {
      protocol: "udp",
      address,
      port: 0,
      ...(name === undefined ? {} : { interface: name }),
    };
    try {
      libc.call.close(bindEndpoint(libc, endpoint, namespace));
      return true;
    } catch (error) {
      if (error instanceof BindError) return false;
      throw error;
    }
  };
  const ipv4 = binds("0.0.0.0");
  const ipv6 = binds("::");
  let bits = CAPABILITY.TCP | CAPABILITY.UDP | CAPABILITY.ANY_TARGET | CAPABILITY.RESET;
  if (ipv4) bits |= CAPABILITY.IPV4;
  if (ipv6) bits |= CAPABILITY.IPV6;
  if (binds(ipv4 ? "0.0.0.0" : "::", LOOPBACK)) bits |= CAPABILITY.INTERFACE;
  const tells = (family: number) => {
    const descriptor = makeSocket(libc, family, "udp");
    const told = descriptor >= 0 && tellDestinations(libc, descriptor, family);
    if (descriptor >= 0) libc.call.close(descriptor);
    return told;
  };
  if ((!ipv4 || tells(C.AF_INET)) && (!ipv6 || tells(C.AF_INET6))) bits |= CAPABILITY.REPLY_SOURCE;
  return bits;
}
