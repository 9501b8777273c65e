/**
 * Which ports the kernel has sockets for, as `/proc/net` says: the tests' own witness beside what the server reports.
 *
 * @module
 */

import type { Protocol } from "../../codec/types.ts";

/** Below the kernel's usual range for outgoing connections (from 32768), so that no client takes a port by chance. */
const LOWEST = 20_000;
const HIGHEST = 29_999;
/** The state of a TCP socket that listens. */
const LISTENING = "0A";
/** Bytes that are read of a list at a time: about 50 sockets. */
const READ_SIZE = 8192;

/** A socket that is bound: a TCP listener, or any UDP socket. */
export interface KernelSocket {
  readonly protocol: Protocol;
  readonly port: number;
  /** Local address as the kernel writes it, in hexadecimal. */
  readonly address: string;
  /** The socket's identity. */
  readonly inode: string;
}

/** All sockets bound to ports from `first` to `last`, of both families. */
export function boundSockets(first: number, last: number): KernelSocket[] {
  return (["tcp", "udp"] as const).flatMap((protocol) =>
    [protocol, `${protocol}6`].flatMap((file) =>
      boundLines(protocol, `/proc/net/${file}`).flatMap((fields): KernelSocket[] => {
        const [address = "", hexPort = ""] = (fields[1] ?? "").split(":");
        const port = Number.parseInt(hexPort, 16);
        return port < first || port > last ? [] : [{ protocol, port, address, inode: fields[9] ?? "" }];
      })
    )
  );
}

/** The fields of a list's bound sockets. Listening TCP ones come first, before what may be thousands of old connections. */
function boundLines(protocol: Protocol, path: string): string[][] {
  using file = Deno.openSync(path);
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(READ_SIZE);
  const found: string[][] = [];
  let rest = "";
  let heading = true;
  for (let size = file.readSync(buffer); size !== null; size = file.readSync(buffer)) {
    const lines = (rest + decoder.decode(buffer.subarray(0, size))).split("\n");
    rest = lines.pop() ?? "";
    for (const line of heading ? lines.slice(1) : lines) {
      const fields = line.trim().split(/\s+/);
      if (protocol === "tcp" && fields[3] !== LISTENING) return found;
      found.push(fields);
    }
    heading = false;
  }
  return found;
}

/** The same as lines in ascending order, to be compared: without what makes two sockets on one endpoint different. */
export function boundPorts(first: number, last: number): string[] {
  return boundSockets(first, last).map(({ protocol, address, port }) => `${protocol} ${address}:${port}`).sort();
}

/** The first of `count` ports in a row that nobody is bound to. The search begins anywhere, so that runs seldom meet. */
export function freeRun(count: number): number {
  const taken = new Set(boundSockets(LOWEST, HIGHEST).map(({ port }) => port));
  const places = HIGHEST - LOWEST + 2 - count;
  const start = Math.floor(Math.random() * places);
  for (let tried = 0; tried < places; tried++) {
    const first = LOWEST + (start + tried) % places;
    if (Array.from({ length: count }, (_, index) => first + index).every((port) => !taken.has(port))) return first;
  }
  throw new Error(`Can't find ${count} free ports in a row: none from ${LOWEST} to ${HIGHEST}`);
}
