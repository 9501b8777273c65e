/**
 * Which ports somebody on this machine listens on, from the kernel's lists of sockets.
 *
 * @module
 */

import { type ListeningSocket, parseSocketList } from "../codec/socket_list.ts";
import type { Protocol } from "../codec/types.ts";
import type { ListeningPorts } from "./effective.ts";

/** The kernel's lists of both address families. Source: proc(5). */
const LISTS: Readonly<Record<Protocol, readonly string[]>> = {
  tcp: ["/proc/net/tcp", "/proc/net/tcp6"],
  udp: ["/proc/net/udp", "/proc/net/udp6"],
};

/** All listening sockets of this network namespace. Throws what reading the kernel's lists throws. */
export function listeningSockets(): ListeningSocket[] {
  return Object.entries(LISTS).flatMap(([protocol, paths]) =>
    paths.flatMap((path) => parseSocketList(readList(path), protocol as Protocol))
  );
}

/** The ports of those sockets that are not the caller's own. */
export function listeningPorts(isOwn: (socket: ListeningSocket) => boolean): ListeningPorts {
  const ports = { tcp: new Set<number>(), udp: new Set<number>() };
  for (const socket of listeningSockets()) if (!isOwn(socket)) ports[socket.protocol].add(socket.port);
  return ports;
}

function readList(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    // A kernel without IPv6 has no list of its sockets.
    if (path.endsWith("6") && error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
