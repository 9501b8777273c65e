/**
 * UDP sockets of `node:dgram` (`Deno.listenDatagram` is unstable), with its surprises on Deno 2.7 and 2.9 dealt with:
 *
 * - A bind looks names up, which takes a turn of the event loop even for a number. Given a lookup that answers at once,
 *   it is bound, or has failed, when `bind` returns.
 * - `close` gives the port back some turns later, and on 2.9 no "close" event ever tells when. {@linkcode ClosingPorts}
 *   knows for which ports a bind should be tried again.
 * - A send that the kernel doesn't take at once is kept in memory without any bound. {@linkcode Sender} drops instead.
 *
 * @module
 */

import { createSocket, type Socket } from "node:dgram";
import { setImmediate } from "node:timers/promises";

/**
 * Bytes of a listening socket's receive buffer in the kernel, which must hold a burst of many peers while this thread
 * does something else. It was found to be 64 KiB on both versions: one of the largest datagrams. The system lowers this
 * to its own limit.
 */
const RECEIVE_BUFFER = 1 << 20;
/** Bytes that one socket may have handed to the runtime and not yet to the kernel: 16 of the largest datagrams. */
const MAX_UNSENT = 1 << 20;
/** Turns of the event loop after which a closed socket is gone for certain; 1 to 5 were measured on both versions. */
const CLOSING_TURNS = 32;

type Family = "udp4" | "udp6";

/** Which kind of socket an address wants. */
export function familyOf(address: string): Family {
  return address.includes(":") ? "udp6" : "udp4";
}

/**
 * A socket that is bound to this address, where `*` is dual stack. Port 0 is any free one.
 *
 * @throws {Error} with the system's error as its `code`
 */
export function bindSocket(address: string, port: number): Socket {
  const dual = address === "*";
  const type = dual ? "udp6" : familyOf(address);
  const socket = createSocket({
    type,
    ipv6Only: type === "udp6" && !dual,
    lookup: (name, _options, callback) => callback(null, name, type === "udp6" ? 6 : 4),
  });
  let failure: unknown;
  const failed = (error: unknown) => failure = error;
  socket.on("error", failed);
  socket.bind({ address: dual ? "::" : address, port });
  if (failure !== undefined) {
    closeSocket(socket);
    throw failure;
  }
  socket.off("error", failed);
  return socket;
}

/** Asks for room for bursts; less will do. */
export function widen(socket: Socket): void {
  try {
    socket.setRecvBufferSize(RECEIVE_BUFFER);
  } catch {
    // Some systems refuse what is above their limit instead of lowering it: their default stays.
  }
}

/** Closes a socket that may be closed already. Errors that it still has to tell are of no interest. */
export function closeSocket(socket: Socket): void {
  socket.removeAllListeners("message");
  socket.on("error", () => {});
  try {
    socket.close();
  } catch {
    // It was closed before: all that was wanted.
  }
}

/** Sends through a socket, as far as the kernel keeps up; what it can't take is dropped, as networks do. */
export class Sender {
  readonly #socket: Socket;
  #unsent = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** The data must not be changed afterwards. */
  send(data: Uint8Array, port: number, address: string): void {
    if (this.#unsent + data.length > MAX_UNSENT) return;
    this.#unsent += data.length;
    try {
      // The callback takes the error, too, which would otherwise be an "error" event.
      this.#socket.send(data, port, address, () => this.#unsent -= data.length);
    } catch {
      // Closed in the meantime: the datagram is lost, as datagrams may be.
      this.#unsent -= data.length;
    }
  }
}

/** The ports whose socket was closed so shortly ago that the system may not have them back. */
export class ClosingPorts {
  /** The turn after which each port is free for certain, in the order of these turns. */
  readonly #until = new Map<number, number>();
  #turn = 0;
  #turning: Promise<void> = Promise.resolve();

  /** To be called when a socket of this port is closed. */
  add(port: number): void {
    const idle = this.#until.size === 0;
    this.#until.delete(port);
    this.#until.set(port, this.#turn + CLOSING_TURNS);
    if (idle) this.#turning = this.#count();
  }

  /** Does `bind`, again and again while the port is in use and may be so only by a closed socket. */
  async retry<Result>(port: number, bind: () => Result): Promise<Result> {
    for (;;) {
      try {
        return bind();
      } catch (error) {
        const inUse = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
        if (!inUse || !this.#until.has(port)) throw error;
      }
      await setImmediate();
    }
  }

  /** Resolves when the system has all ports back. */
  async settled(): Promise<void> {
    while (this.#until.size > 0) await this.#turning;
  }

  async #count(): Promise<void> {
    while (this.#until.size > 0) {
      await setImmediate();
      this.#turn++;
      for (const [port, until] of this.#until) {
        if (until > this.#turn) break;
        this.#until.delete(port);
      }
    }
  }
}
