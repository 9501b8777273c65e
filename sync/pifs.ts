/**
 * The pifs of a server.
 *
 * @module
 */

import { canonicalAddress } from "../codec/address.ts";
import { PIF_ID } from "../codec/constants.ts";
import type { ListeningSocket } from "../codec/socket_list.ts";
import type { Backend } from "./backend.ts";
import type { Pif } from "./forwarder.ts";
import { listeningPorts, listeningSockets } from "./listening_ports.ts";

/** One more pif for a server: its name, and where rules without a target of their own go. */
export interface PifOptions {
  /** Any name but HOST, of at most 127 bytes. */
  readonly name: string;
  /** A numeric address. */
  readonly target: string;
}

/**
 * HOST, and the others that are asked for. `isOwn` tells a rule's own sockets from those of targets.
 *
 * @throws {RangeError} if two have the same name
 * @throws {SyntaxError} if a target isn't an address
 */
export function pifsOf(
  { target = "127.0.0.1", pifs = [] }: { readonly target?: string; readonly pifs?: readonly PifOptions[] },
  backend: Backend,
  localAddresses: readonly string[],
  isOwn: (socket: ListeningSocket) => boolean,
): Pif[] {
  const listening = canListSockets() ? () => listeningPorts(isOwn) : undefined;
  const all = [
    { id: PIF_ID.HOST as number, name: "HOST", target },
    ...pifs.map((pif, index) => ({ ...pif, id: PIF_ID.FIRST_OTHER + index })),
  ];
  for (const { name } of pifs) {
    if (all.filter((pif) => pif.name === name).length > 1) {
      throw new RangeError(`Can't add pif "${name}": there already is one of that name`);
    }
  }
  return all.map(({ id, name, target }) => {
    const defaultTarget = canonicalAddress(target);
    // What another machine listens on can't be known, so there is nothing to scan there.
    const local = isLoopback(defaultTarget) || localAddresses.includes(defaultTarget);
    const pif = { id, name, backend, defaultTarget, sameNamespace: true };
    return local && listening !== undefined ? { ...pif, listening } : pif;
  });
}

function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}

/** Whether the kernel's lists of sockets can be read: there are none elsewhere, and Deno guards them well. */
function canListSockets(): boolean {
  try {
    listeningSockets();
    return true;
  } catch {
    return false;
  }
}
