/**
 * Which ports somebody listens on, in this network namespace or in another, from the kernel's lists of sockets.
 *
 * @module
 */

import { isEnough, type ListeningSocket, parseSocketList, parsingSocketList } from "../codec/socket_list.ts";
import type { Protocol } from "../codec/types.ts";
import type { ListeningPorts } from "../codec/table.ts";
import { readPieces } from "./kernel_file.ts";
import { Slices } from "./slices.ts";

/**
 * The kernel's lists of both address families. Source: proc(5). They are those of the thread that asks, so that one that
 * has entered another namespace sees that one's.
 */
const LISTS = [
  ["tcp", "/proc/thread-self/net/tcp"],
  ["tcp", "/proc/thread-self/net/tcp6"],
  ["udp", "/proc/thread-self/net/udp"],
  ["udp", "/proc/thread-self/net/udp6"],
] as const satisfies readonly (readonly [Protocol, string])[];

/**
 * Reads a file of the kernel's up to where `enough` says so of the text so far, if anywhere; resolves to `undefined` if there
 * is no such file, as on a kernel without IPv6.
 */
export type ListReader = (path: string, enough: (text: string) => boolean) => Promise<string | undefined>;

/** All listening sockets that the lists show. Throws what reading them throws. */
export function listeningSockets(): ListeningSocket[] {
  return LISTS.flatMap(([protocol, path]) => parseSocketList(readList(path) ?? "", protocol));
}

/**
 * The ports of those sockets that `isOwn` doesn't claim. On a busy machine the lists have a line for each of thousands of
 * connections: another thread reads them, and relaying goes on while they are looked through.
 */
export async function listeningPorts(
  isOwn: (socket: ListeningSocket) => boolean,
  read: ListReader = readListElsewhere,
): Promise<ListeningPorts> {
  const ports = { tcp: new Set<number>(), udp: new Set<number>() };
  const slices = new Slices();
  for (const [protocol, path] of LISTS) {
    const list = await read(path, (text) => isEnough(text, protocol)) ?? "";
    for (const socket of await slices.run(parsingSocketList(list, protocol))) {
      if (!isOwn(socket)) ports[protocol].add(socket.port);
      if (slices.over()) await slices.next();
    }
  }
  return ports;
}

/**
 * Whether the kernel's lists can be read: there are none elsewhere, and Deno guards them well. One is opened and none
 * read, because a server's start would wait for it where there are many sockets.
 */
export function canListSockets(): boolean {
  try {
    const [[, path]] = LISTS;
    Deno.openSync(path).close();
    return true;
  } catch {
    return false;
  }
}

function readList(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function readListElsewhere(path: string, enough: (text: string) => boolean): Promise<string | undefined> {
  try {
    using file = await Deno.open(path);
    return await readPieces(async (into) => await file.read(into) ?? 0, enough);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
