/**
 * Datagrams in batches, for `recvmmsg` and `sendmmsg`.
 *
 * Theory of operation. There is one set of buffers, and three arrays of message headers that point to it:
 *
 *     fromPeers:  with room for each sender's address, and for the address that it wrote to
 *     plain:      without either; for sockets that are connected, in both directions
 *     toPeer:     all to one address, from one of ours
 *
 * A batch is received with one of the first two and sent with one of the last two, so data is never moved within this
 * program. Nothing stays: what a socket doesn't take at once is dropped, as networks do.
 *
 * Invariants: between batches every buffer's length says CAPACITY. The kernel overwrites the lengths of names and of
 * control data that it fills; they are set before each call.
 *
 * @module
 */

import { addressOf, C, ERRNO, LAYOUT, type Libc } from "./libc.ts";
import { SOCKET_ADDRESS_SIZE } from "./socket_address.ts";

const { mmsghdr, msghdr, iovec } = LAYOUT;

/** Datagrams of a batch. One peer's flood over loopback, 2 cores: no gain beyond. */
export const BATCH = 32;
/** Bytes per datagram; UDP's length field doesn't allow for more. */
const CAPACITY = 65536;
/** Bytes from one name, and from one control buffer, to the next: the largest, rounded up. */
export const NAME_STRIDE = 32;
export const CONTROL_STRIDE = 64;

/** Buffers for a batch of datagrams. */
export class Datagrams {
  /** Senders' socket addresses. */
  readonly names = new Uint8Array(new ArrayBuffer(BATCH * NAME_STRIDE));
  /** Control messages that came with datagrams. */
  readonly controls = new Uint8Array(new ArrayBuffer(BATCH * CONTROL_STRIDE));
  readonly #libc: Libc;
  readonly #bytes = new Uint8Array(new ArrayBuffer(BATCH * CAPACITY));
  readonly #vectors = new Uint8Array(new ArrayBuffer(BATCH * iovec.size));
  readonly #vectorWords = new Uint32Array(this.#vectors.buffer);
  readonly #peerName = new Uint8Array(new ArrayBuffer(NAME_STRIDE));
  readonly #peerControl = new Uint8Array(new ArrayBuffer(CONTROL_STRIDE));
  readonly #fromPeers: Headers;
  readonly #plain: Headers;
  readonly #toPeer: Headers;

  constructor(libc: Libc) {
    this.#libc = libc;
    const vectors = new BigUint64Array(this.#vectors.buffer);
    for (let at = 0; at < BATCH; at++) {
      vectors[at * iovec.size / 8] = addressOf(this.#bytes.subarray(at * CAPACITY));
      vectors[(at * iovec.size + iovec.iov_len) / 8] = BigInt(CAPACITY);
    }
    const vector = (at: number) => this.#vectors.subarray(at * iovec.size);
    this.#fromPeers = new Headers(
      vector,
      (at) => this.names.subarray(at * NAME_STRIDE),
      (at) => this.controls.subarray(at * CONTROL_STRIDE),
    );
    this.#plain = new Headers(vector);
    this.#toPeer = new Headers(vector, () => this.#peerName, () => this.#peerControl);
  }

  /** Receives from a listening socket, names and controls included; how many, -1 on failure. */
  receiveFromPeers(descriptor: number): number {
    this.#fromPeers.measure(BATCH, SOCKET_ADDRESS_SIZE, CONTROL_STRIDE);
    return this.#receive(descriptor, this.#fromPeers);
  }

  /** Receives from a connected socket; how many, -1 on failure. */
  receive(descriptor: number): number {
    return this.#receive(descriptor, this.#plain);
  }

  /** Sends `count` datagrams of the batch through a connected socket. */
  send(descriptor: number, first: number, count: number): void {
    this.#send(descriptor, this.#plain, first, count);
  }

  /**
   * Sends the first `count` datagrams of the batch to a peer.
   *
   * @param control the control message that says from which address; empty for the socket's own
   */
  sendToPeer(descriptor: number, count: number, name: Uint8Array, control: Uint8Array): void {
    this.#peerName.set(name);
    this.#peerControl.set(control);
    this.#toPeer.measure(count, name.length, control.length);
    this.#send(descriptor, this.#toPeer, 0, count);
  }

  /** To be called when the first `count` datagrams have been dealt with. */
  clear(count: number): void {
    for (let at = 0; at < count; at++) this.#setLength(at, CAPACITY);
  }

  #receive(descriptor: number, headers: Headers): number {
    const count = this.#libc.call.recvmmsg(descriptor, headers.bytes, BATCH, C.MSG_DONTWAIT, null);
    for (let at = 0; at < count; at++) this.#setLength(at, headers.length(at));
    return count;
  }

  #send(descriptor: number, headers: Headers, first: number, count: number): void {
    const end = first + count;
    for (let at = first, retried = false; at < end;) {
      const sent = this.#libc.call.sendmmsg(descriptor, headers.from(at), end - at, C.MSG_NOSIGNAL | C.MSG_DONTWAIT);
      if (sent > 0) {
        at += sent;
        retried = false;
      } else if (this.#libc.errno === ERRNO.EAGAIN) {
        return;
      } else if (retried) {
        // This one can't be sent; the others perhaps can.
        at++;
        retried = false;
      } else {
        // What failed may have been an earlier datagram: an error that came back is told in place of the next send.
        retried = true;
      }
    }
  }

  #setLength(at: number, length: number): void {
    this.#vectorWords[(at * iovec.size + iovec.iov_len) / 4] = length;
  }
}

/** An array of `struct mmsghdr`, one for each buffer. */
class Headers {
  readonly bytes = new Uint8Array(new ArrayBuffer(BATCH * mmsghdr.size));
  readonly #words = new Uint32Array(this.bytes.buffer);
  readonly #tails: readonly Uint8Array<ArrayBuffer>[];

  constructor(
    vector: (at: number) => Uint8Array<ArrayBuffer>,
    name?: (at: number) => Uint8Array<ArrayBuffer>,
    control?: (at: number) => Uint8Array<ArrayBuffer>,
  ) {
    const quads = new BigUint64Array(this.bytes.buffer);
    this.#tails = Array.from({ length: BATCH }, (_, at) => this.bytes.subarray(at * mmsghdr.size));
    for (let at = 0; at < BATCH; at++) {
      const set = (field: number, value: bigint) => quads[(at * mmsghdr.size + field) / 8] = value;
      set(msghdr.msg_iov, addressOf(vector(at)));
      set(msghdr.msg_iovlen, 1n);
      if (name !== undefined) set(msghdr.msg_name, addressOf(name(at)));
      if (control !== undefined) set(msghdr.msg_control, addressOf(control(at)));
    }
  }

  /** The headers from one on. */
  from(at: number): Uint8Array<ArrayBuffer> {
    return this.#tails[at] ?? this.bytes;
  }

  /** Bytes of a datagram that was received. */
  length(at: number): number {
    return this.#words[(at * mmsghdr.size + mmsghdr.msg_len) / 4] ?? 0;
  }

  /** Says how large names and controls of the first `count` are. */
  measure(count: number, name: number, control: number): void {
    for (let at = 0, word = 0; at < count; at++, word += mmsghdr.size / 4) {
      this.#words[word + msghdr.msg_namelen / 4] = name;
      this.#words[word + msghdr.msg_controllen / 4] = control;
    }
  }
}
