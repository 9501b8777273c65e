/**
 * What the tests of backends talk to and through: targets, clients, and waiting for events with a deadline.
 *
 * @module
 */

import { createSocket, type Socket } from "node:dgram";
import { createServer, Socket as TcpSocket } from "node:net";
import { setImmediate, setTimeout as delay } from "node:timers/promises";
import type { Protocol } from "../../codec/types.ts";
import type { Endpoint, Route } from "../../sync/backend.ts";

/** Milliseconds after which something that was to happen is said not to have happened. */
const DEADLINE = 10_000;

/** An endpoint without an interface. */
export function endpointAt(protocol: Protocol, address: string, port: number): Endpoint {
  return { protocol, address, port };
}

/** The route that takes a listening port to this target. */
export function routeTo(port: number, target: number, address = "127.0.0.1"): Route {
  return { address, shift: target - port };
}

/** A port that was free a moment ago for this protocol, on all addresses. */
export async function freePort(protocol: Protocol): Promise<number> {
  if (protocol === "tcp") {
    using listener = Deno.listen({ hostname: "0.0.0.0", port: 0 });
    return listener.addr.port;
  }
  const port = await closedPort();
  // A busy machine takes longer to close a socket than Datagrams waits; the kernel knows when it has.
  if (Deno.build.os === "linux") await until("the UDP port being free", () => socketLines("udp", port).length === 0);
  return port;
}

async function closedPort(): Promise<number> {
  await using socket = new Datagrams("0.0.0.0");
  return socket.port;
}

/** The fields of the kernel's IPv4 sockets of a port. */
function socketLines(protocol: Protocol, port: number): string[][] {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const lines = Deno.readTextFileSync(`/proc/net/${protocol}`).split("\n").map((line) => line.trim().split(/\s+/));
  return lines.filter((fields) => fields[1]?.endsWith(suffix));
}

/** Resolves when it is so. Looks between events, and fails at a deadline. */
export async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + DEADLINE;
  while (!await isSo()) {
    if (performance.now() > end) throw new Error(`Can't go on: ${what} did not happen within ${DEADLINE} ms`);
    await delay(1);
  }
}

/** The promise's result, or a failure at a deadline. */
export async function within<Result>(what: string, promise: Promise<Result>): Promise<Result> {
  const stop = new AbortController();
  const late = delay(DEADLINE, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`Can't go on: ${what} did not happen within ${DEADLINE} ms`);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    stop.abort();
    late.catch(() => {});
  }
}

/** Resolves when a growing number has stopped growing for a fifth of a second, to that number. */
export async function settled(progress: () => number): Promise<number> {
  let last = progress();
  for (let quiet = performance.now(); performance.now() - quiet < 200;) {
    await delay(5);
    if (progress() === last) continue;
    last = progress();
    quiet = performance.now();
  }
  return last;
}

/** A TCP target on a port of its own, with a handler for each connection; all that is open is closed at the end. */
export class TcpTarget implements AsyncDisposable {
  readonly port: number;
  /** How many connections it was given. */
  accepted = 0;
  readonly #listener: Deno.TcpListener;
  readonly #connections = new Set<Deno.TcpConn>();
  readonly #handlers = new Set<Promise<void>>();
  readonly #accepting: Promise<void>;

  constructor(handler: (connection: Deno.TcpConn) => Promise<void>, hostname = "127.0.0.1") {
    this.#listener = Deno.listen({ hostname, port: 0, tcpBacklog: 4096 });
    this.port = this.#listener.addr.port;
    this.#accepting = this.#accept(handler);
  }

  async #accept(handler: (connection: Deno.TcpConn) => Promise<void>): Promise<void> {
    for await (const connection of this.#listener) {
      this.accepted++;
      this.#connections.add(connection);
      // A connection that breaks ends its handler; what it broke is seen at the other end.
      const handling = handler(connection).catch(() => {}).finally(() => {
        this.#connections.delete(connection);
        this.#handlers.delete(handling);
        closeQuietly(connection);
      });
      this.#handlers.add(handling);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#connections) closeQuietly(connection);
    await this.#accepting;
    await Promise.all(this.#handlers);
  }
}

/** Sends back what it gets with its name before each piece, and ends when its peer does. */
export function namedTarget(name: string, hostname?: string): TcpTarget {
  return new TcpTarget(async (connection) => {
    const buffer = new Uint8Array(65536);
    for (let length; (length = await connection.read(buffer)) !== null;) {
      await writeAll(connection, encode(`${name}:${decode(buffer.subarray(0, length))}`));
    }
    await connection.closeWrite();
  }, hostname);
}

/** Whether this runtime can send a TCP reset: Deno 2.9 can, 2.7 can't. */
export const canReset: boolean = "resetAndDestroy" in TcpSocket.prototype;

/** A target that resets every connection as soon as something comes. */
export async function resettingTarget(): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => socket.resetAndDestroy());
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const address = server.address();
  if (address === null || typeof address === "string") throw new TypeError("Can't find the port of the target");
  return {
    port: address.port,
    [Symbol.asyncDispose]: () => new Promise((closed) => server.close(() => closed())),
  };
}

/** Writes all of it. */
export async function writeAll(connection: Deno.TcpConn, data: Uint8Array): Promise<void> {
  for (let sent = 0; sent < data.length;) sent += await connection.write(data.subarray(sent));
}

/** What comes next, as text; `null` at the end of the stream. */
export async function readSome(connection: Deno.TcpConn): Promise<string | null> {
  const buffer = new Uint8Array(65536);
  const length = await within("an answer", connection.read(buffer));
  return length === null ? null : decode(buffer.subarray(0, length));
}

/** All that comes until the end of the stream, as text. */
export async function readAll(connection: Deno.TcpConn): Promise<string> {
  let text = "";
  for (let piece; (piece = await readSome(connection)) !== null;) text += piece;
  return text;
}

/** How a connection ended that nobody serves: cleanly or with a reset. */
export async function ending(connection: Deno.TcpConn): Promise<"end" | "reset" | "data"> {
  try {
    return await readSome(connection) === null ? "end" : "data";
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionReset) return "reset";
    throw error;
  }
}

/** As {@linkcode ending}, of a connection to a port of 127.0.0.1. A reset may come before the runtime has let it begin. */
export async function endingAt(port: number): Promise<"end" | "reset" | "data"> {
  try {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    return await ending(connection);
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionReset) return "reset";
    throw error;
  }
}

/** What one says to a named target through this address, and gets back; undefined if refused. */
export async function talk(hostname: string, port: number, text = "hello"): Promise<string | undefined> {
  try {
    using connection = await Deno.connect({ hostname, port });
    await writeAll(connection, encode(text));
    return await readSome(connection) ?? undefined;
  } catch (error) {
    const refusals = [Deno.errors.ConnectionRefused, Deno.errors.ConnectionReset, Deno.errors.BrokenPipe];
    if (refusals.some((refusal) => error instanceof refusal)) return undefined;
    throw error;
  }
}

/** A datagram and where it came from. */
export interface Datagram {
  readonly data: Uint8Array;
  readonly address: string;
  readonly port: number;
}

/** A UDP socket on a port of its own (or a given one) that keeps what it gets until it is asked for. */
export class Datagrams implements AsyncDisposable {
  readonly port: number;
  /** Called instead of keeping the datagram. */
  onDatagram: ((datagram: Datagram) => void) | undefined;
  readonly #socket: Socket;
  readonly #kept: Datagram[] = [];
  #waiting: ((datagram: Datagram) => void) | undefined;

  constructor(address = "127.0.0.1", port = 0) {
    const family = address.includes(":") ? 6 : 4;
    // Answers at once, so that the socket is bound when `bind` returns.
    this.#socket = createSocket({
      type: `udp${family}`,
      ipv6Only: family === 6,
      lookup: (name, _options, callback) => callback(null, name, family),
    });
    this.#socket.on("message", (data, { address, port }) => {
      const datagram = { data, address, port };
      if (this.onDatagram !== undefined) return this.onDatagram(datagram);
      if (this.#waiting === undefined) return void this.#kept.push(datagram);
      this.#waiting(datagram);
      this.#waiting = undefined;
    });
    this.#socket.bind({ address, port });
    this.port = this.#socket.address().port;
  }

  send(data: Uint8Array | string, port: number, address = "127.0.0.1"): void {
    this.#socket.send(data, port, address);
  }

  /** The next datagram, or undefined if none comes for so many milliseconds. */
  async receiveWithin(milliseconds: number): Promise<Datagram | undefined> {
    const kept = this.#kept.shift();
    if (kept !== undefined) return kept;
    const { promise, resolve } = Promise.withResolvers<Datagram | undefined>();
    this.#waiting = resolve;
    const timer = setTimeout(resolve, milliseconds, undefined);
    const datagram = await promise;
    clearTimeout(timer);
    this.#waiting = undefined;
    return datagram;
  }

  /** The next datagram. */
  async receive(): Promise<Datagram> {
    const datagram = await this.receiveWithin(DEADLINE);
    if (datagram === undefined) throw new Error(`Can't go on: no datagram came within ${DEADLINE} ms`);
    return datagram;
  }

  /** The next datagram's text. */
  async receiveText(): Promise<string> {
    return decode((await this.receive()).data);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    // Deno 2.9 never says when a closed UDP socket is gone; it takes it a few turns.
    for (let turn = 0; turn < 8; turn++) await setImmediate();
  }
}

/** A UDP target that sends everything back with its name before it. */
export function namedDatagrams(name: string, address?: string): Datagrams {
  const target = new Datagrams(address);
  target.onDatagram = ({ data, port, address }) => target.send(`${name}:${decode(data)}`, port, address);
  return target;
}

/** How many file descriptors this process has, where the system tells. */
export function openFiles(): number {
  return Array.from(Deno.readDirSync("/proc/self/fd")).length;
}

/** Opens files until there may be no more but one; they must be closed. */
export function useUpFiles(): Deno.FsFile[] {
  const files: Deno.FsFile[] = [];
  try {
    for (;;) files.push(Deno.openSync("/dev/null"));
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EMFILE")) throw error;
  }
  files.pop()?.close();
  return files;
}

/** Identity of the kernel's listening IPv4 TCP socket on a port, or undefined. */
export function listeningInode(port: number): string | undefined {
  return socketLines("tcp", port).find((fields) => fields[3] === "0A")?.[9];
}

export function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function decode(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}

function closeQuietly(connection: Deno.TcpConn): void {
  try {
    connection.close();
  } catch {
    // Closed before.
  }
}
