/**
 * The one buffer through which small data goes from socket to socket.
 *
 * Nothing stays in it: what the receiving side doesn't take at once, its owner copies out. So one serves all connections,
 * and an idle connection holds no memory of ours.
 *
 * @module
 */

import { addressOf, C, LAYOUT, type Libc } from "./libc.ts";

/**
 * Bytes of the buffer. One stream over loopback changes to splicing anyway; for short answers 64 KiB lets one call carry
 * what a socket usually holds.
 */
export const COPY_SIZE = 64 * 1024;

const { iovec, msghdr } = LAYOUT;

/** A buffer with the structs that describe it. */
export class CopyBuffer {
  readonly bytes: Uint8Array<ArrayBuffer> = new Uint8Array(new ArrayBuffer(COPY_SIZE));
  readonly #libc: Libc;
  readonly #whole = new BigUint64Array(new ArrayBuffer(iovec.size));
  readonly #part = new BigUint64Array(new ArrayBuffer(iovec.size));
  /** The low half of the length of the part. */
  readonly #partLength = new Uint32Array(this.#part.buffer, iovec.iov_len, 1);
  readonly #message = new BigUint64Array(new ArrayBuffer(msghdr.size));

  constructor(libc: Libc) {
    this.#libc = libc;
    for (const vector of [this.#whole, this.#part]) {
      vector[iovec.iov_base / 8] = addressOf(this.bytes);
      vector[iovec.iov_len / 8] = BigInt(COPY_SIZE);
    }
    this.#message[msghdr.msg_iov / 8] = addressOf(new Uint8Array(this.#part.buffer));
    this.#message[msghdr.msg_iovlen / 8] = 1n;
  }

  /** Fills the buffer from a descriptor; how many bytes, 0 at the end of the stream, -1 on failure. */
  receive(descriptor: number): number {
    return this.#libc.call.readv(descriptor, this.#whole, 1);
  }

  /**
   * Sends the first `length` bytes; how many were taken, -1 on failure.
   *
   * @param flags `C.MSG_MORE` if something follows at once that the last bytes may wait for
   */
  send(descriptor: number, length: number, flags: number): number {
    this.#partLength[0] = length;
    return this.#libc.call.sendmsg(descriptor, this.#message, flags | C.MSG_NOSIGNAL);
  }
}
