/**
 * The pifs of a server.
 *
 * @module
 */

import { canonicalAddress } from "../codec/address.ts";
import { PIF_ID } from "../codec/constants.ts";
import type { ListeningSocket } from "../codec/socket_list.ts";
import type { Backend, BackendOptions } from "./backend.ts";
import { type BackendName, makeBackend } from "./backends.ts";
import type { Pif } from "./forwarder.ts";
import { namespaceReader } from "./linux/socket_lists.ts";
import { canListSockets, listeningPorts } from "./listening_ports.ts";

/** One more pif for a server: its name, and where rules without a target of their own go. */
export interface PifOptions {
  /** Any name that isn't taken, of at most 127 bytes. */
  readonly name: string;
  /** A numeric address. */
  readonly target: string;
}

/** What the pifs of a server are made from. */
export interface PifsOptions {
  /** Default target of HOST. */
  readonly target?: string;
  /** Further pifs. */
  readonly pifs?: readonly PifOptions[];
  /** The backend to use; the best that works if absent. */
  readonly backend?: BackendName;
  /** Bounds of the relays. */
  readonly relay?: Omit<BackendOptions, "log">;
  /** Network namespace of the targets: the path of its file, or the number of a process in it. */
  readonly netns?: string;
  /** Told what an operator wants to know. */
  readonly log?: (message: string) => void;
}

/** Tells the listeners of a backend's rules from those of targets. */
export type Owner = (backend: Backend, socket: ListeningSocket) => boolean;

/**
 * HOST, with a namespace SPLICE, and the others that are asked for, with their backends.
 *
 * @throws {RangeError} if two have the same name
 * @throws {SyntaxError} if a target isn't an address
 * @throws {PestoError} if a backend or the namespace can't be used
 */
export function makePifs(options: PifsOptions, localAddresses: readonly string[], owns: Owner): Pif[] {
  const { pifs = [], netns, log } = options;
  checkNames(pifs, netns === undefined ? ["HOST"] : ["HOST", "SPLICE"]);
  const relay = { ...options.relay, ...(log !== undefined && { log }) };
  const connecting = [
    { id: PIF_ID.HOST as number, name: "HOST", target: canonicalAddress(options.target ?? LOOPBACK) },
    ...pifs.map(({ name, target }, index) => ({
      id: PIF_ID.FIRST_OTHER + index,
      name,
      target: canonicalAddress(target),
    })),
  ];
  if (netns === undefined) {
    const backend = makeBackend(options.backend, relay);
    const listening = canListSockets() ? () => listeningPorts((socket) => owns(backend, socket)) : undefined;
    return connecting.map(({ id, name, target }) => {
      const pif = { id, name, backend, defaultTarget: target, sameNamespace: true };
      // What another machine listens on can't be known, so there is nothing to scan there.
      const local = isLoopback(target) || localAddresses.includes(target);
      return local && listening !== undefined ? { ...pif, listening } : pif;
    });
  }
  const namespace = /^\d+$/.test(netns) ? `/proc/${netns}/ns/net` : netns;
  const backend = makeBackend(options.backend, { ...relay, connectNamespace: namespace });
  const inside = makeBackend(options.backend, { ...relay, listenNamespace: namespace });
  const read = namespaceReader(namespace);
  const splice: Pif = {
    id: PIF_ID.SPLICE,
    name: "SPLICE",
    backend: inside,
    defaultTarget: LOOPBACK,
    sameNamespace: false,
    listening: () => listeningPorts((socket) => owns(backend, socket)),
  };
  const [host, ...others] = connecting.map(({ id, name, target }): Pif => ({
    id,
    name,
    backend,
    defaultTarget: target,
    sameNamespace: false,
    listening: () => listeningPorts((socket) => owns(inside, socket), read),
  }));
  return host === undefined ? [splice] : [host, splice, ...others];
}

/** Where rules go when nothing else is said. */
const LOOPBACK = "127.0.0.1";

function checkNames(pifs: readonly PifOptions[], taken: readonly string[]): void {
  const names = new Set(taken);
  for (const { name } of pifs) {
    if (names.has(name)) throw new RangeError(`Can't add pif "${name}": there already is one of that name`);
    names.add(name);
  }
}

function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}
