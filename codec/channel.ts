/**
 * One end of a control connection: events come out, bytes go in. It knows nothing of sockets: anything that reads and
 * writes bytes will do.
 *
 * Theory of operation. `next` hands out events one by one and reads only when none is left over. A read that was
 * interrupted by its signal stays pending and is taken up by the following `next`, so no byte is lost. A fault that the
 * decoder has found behind events comes once they are handed out, before anything more is read. After the other
 * side hung up, or a read or the decoder failed, every further `next` says so again.
 *
 * All reads go into one buffer. From the moment that a read is asked for until `next` has given its bytes to the decoder
 * the buffer is that read's, also while it is interrupted: `#reading` says so. Decoders copy what they keep.
 *
 * @module
 */

import { ProtocolError } from "./errors.ts";
import type { Decoder } from "./dialect.ts";

/** What a channel needs of a connection; `Deno.Conn` has it. */
export interface Connection {
  /** Resolves to the number of bytes read, or `null` at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** Resolves to the number of bytes written, which may be fewer than given. */
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/** Bytes taken from the connection at a time: about one of the largest frames. */
const READ_SIZE = 64 * 1024;
const NOTHING = new Uint8Array(0);

/** One end of a control connection. */
export class Channel<Event extends { readonly kind: string }> implements Disposable {
  readonly #connection: Connection;
  readonly #decoder: Decoder<Event>;
  readonly #maxBytes: number;
  #events: Event[] = [];
  #nextEvent = 0;
  #received = 0;
  #buffer: Uint8Array | undefined;
  #reading: Promise<Uint8Array | undefined> | undefined;
  #closed = false;

  /** The other side may send `maxBytes` in all. */
  constructor(connection: Connection, decoder: Decoder<Event>, maxBytes = Infinity) {
    this.#connection = connection;
    this.#decoder = decoder;
    this.#maxBytes = maxBytes;
  }

  /**
   * The next event, or `undefined` once the other side has hung up at a place where it may.
   *
   * @throws {ProtocolError} (as a rejection) on bytes that the dialect doesn't allow, and on too many
   * @throws the signal's reason (as a rejection) when it is aborted first
   */
  async next(signal?: AbortSignal): Promise<Event | undefined> {
    for (;;) {
      const event = this.#events[this.#nextEvent];
      if (event !== undefined) {
        this.#nextEvent++;
        return event;
      }
      if (this.#nextEvent > 0) {
        this.#events = this.#decoder.push(NOTHING);
        this.#nextEvent = 0;
        continue;
      }
      const bytes = await interruptible(this.#read(), signal);
      if (bytes === undefined) {
        this.#decoder.finish();
        return undefined;
      }
      this.#received += bytes.length;
      if (this.#received > this.#maxBytes) {
        throw new ProtocolError(
          "too-many-bytes",
          `Can't read a transaction: it has more than ${this.#maxBytes} bytes`,
        );
      }
      this.#events = this.#decoder.push(bytes);
      this.#nextEvent = 0;
      this.#reading = undefined;
    }
  }

  /** Resolves as soon as the other side has hung up or broken off; must not run beside `next`. */
  async hungUp(): Promise<void> {
    try {
      // Bytes where none are due are for the next `next` to deal with, and until then as good as silence.
      if (await this.#read() !== undefined) await new Promise(() => {});
    } catch {
      // A broken connection is as gone as a closed one.
    }
  }

  /**
   * Sends chunks in order, each as soon as the connection has taken the one before.
   *
   * @throws the signal's reason (as a rejection) when it is aborted first; what was sent by then is sent
   */
  async send(chunks: Iterable<Uint8Array>, signal?: AbortSignal): Promise<void> {
    for (const chunk of chunks) {
      for (let sent = 0; sent < chunk.length;) {
        sent += await interruptible(this.#connection.write(chunk.subarray(sent)), signal);
      }
    }
  }

  /** Hangs up. Harmless when repeated. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
  }

  #read(): Promise<Uint8Array | undefined> {
    if (this.#reading === undefined) {
      this.#reading = (async () => {
        this.#buffer ??= new Uint8Array(READ_SIZE);
        const size = await this.#connection.read(this.#buffer);
        return size === null ? undefined : this.#buffer.subarray(0, size);
      })();
      // Whoever asks for it sees its error; it must not count as unhandled when nobody asks any more.
      this.#reading.catch(() => {});
    }
    return this.#reading;
  }
}

/**
 * The same bytes in fewer chunks: those that fit into one of {@linkcode READ_SIZE} are put together, for a call of the
 * system costs more than a copy. No chunk is kept back longer than it takes to make the next one.
 */
export function* gathered(chunks: Iterable<Uint8Array>): Iterable<Uint8Array> {
  let parts: Uint8Array[] = [];
  let size = 0;
  for (const chunk of chunks) {
    if (size + chunk.length > READ_SIZE) {
      if (size > 0) yield joined(parts, size);
      parts = [];
      size = 0;
    }
    parts.push(chunk);
    size += chunk.length;
  }
  if (size > 0) yield joined(parts, size);
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) return only;
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Settles with the promise, or rejects with the signal's reason if that is aborted first. */
export function interruptible<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  if (signal.aborted) {
    // Nobody will look at it any more: whatever becomes of it must not count as unhandled.
    promise.catch(() => {});
    throw signal.reason;
  }
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  return Promise.race([promise, aborted]).finally(() => signal.removeEventListener("abort", abort));
}
