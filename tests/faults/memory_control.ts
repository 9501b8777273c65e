/**
 * A control socket without a socket: connections whose client's bytes are all there from the beginning. A hundred
 * thousand of them go through a whole server in the time that a tenth of them needs through the kernel.
 *
 * @module
 */

import { setImmediate } from "node:timers/promises";
import { serve, type ServeOptions, type Server } from "../../server.ts";
import { ControlSocket } from "../../sync/control_socket.ts";

/** A client that says its pieces and hangs up; `answer` has what the server said, once it has closed. */
export class MemoryConnection {
  readonly closed: Promise<void>;
  readonly answer: Uint8Array[] = [];
  readonly #pieces: Uint8Array[];
  readonly #close: () => void;

  constructor(pieces: readonly Uint8Array[]) {
    this.#pieces = [...pieces];
    const { promise, resolve } = Promise.withResolvers<void>();
    this.closed = promise;
    this.#close = resolve;
  }

  /** As from a socket, what is read comes in a turn of its own: without one, weakly held garbage is never collected. */
  async read(into: Uint8Array): Promise<number | null> {
    await setImmediate();
    const piece = this.#pieces.shift();
    if (piece === undefined) return null;
    into.set(piece);
    return piece.length;
  }

  write(bytes: Uint8Array): Promise<number> {
    this.answer.push(bytes.slice());
    return Promise.resolve(bytes.length);
  }

  close(): void {
    this.#close();
  }
}

/** A server whose clients are {@linkcode MemoryConnection}s. */
export class MemoryServer implements AsyncDisposable {
  readonly server: Server;
  readonly #arrivals: WritableStreamDefaultWriter<MemoryConnection>;

  private constructor(server: Server, arrivals: WritableStreamDefaultWriter<MemoryConnection>) {
    this.server = server;
    this.#arrivals = arrivals;
  }

  static async start(options: Omit<ServeOptions, "path"> = {}): Promise<MemoryServer> {
    const { readable, writable } = new TransformStream<MemoryConnection, MemoryConnection>();
    const disposal = { [Symbol.dispose]: () => {}, [Symbol.asyncDispose]: () => Promise.resolve() };
    const socket = { path: "memory", listener: readable, ...disposal };
    const { claim } = ControlSocket;
    // Only what a server uses of a control socket is there; the class has no other way to be made than from a file.
    ControlSocket.claim = () => Promise.resolve(socket as unknown as ControlSocket);
    try {
      return new MemoryServer(await serve({ path: "memory", ...options }), writable.getWriter());
    } finally {
      ControlSocket.claim = claim;
    }
  }

  /** One whole conversation; resolves to the server's side of it. */
  async converse(pieces: readonly Uint8Array[]): Promise<readonly Uint8Array[]> {
    const connection = new MemoryConnection(pieces);
    await this.#arrivals.write(connection);
    await connection.closed;
    return connection.answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#arrivals.close();
    await this.server[Symbol.asyncDispose]();
  }
}
