/**
 * One relayed TCP connection: two sockets, and what goes from one to the other.
 *
 * Theory of operation. Each of the two ends owns the direction that begins at it:
 *
 *     connecting ── target is writable ──▶ relaying ── both directions done ──▶ ended
 *         └───────────── refused, timed out, either socket reset ────────────────▲ (with resets)
 *
 * A direction, in which `readable` and `writable` are what the kernel last told of the sockets:
 *
 *     copying ── BULK_READS full buffers in a row ──▶ splicing ── SMALL_SPLICES small pieces in a row ──▶ copying
 *
 * It reads only when what it read before has been taken by the other side: `pending` (copying) or the pipe's content
 * (splicing) is flushed first. So a side that doesn't read stops the other one, and a direction holds at most one
 * buffer or one pipe. An end of stream is passed on when everything before it is; a reset at once, as a reset.
 *
 * Where the end has been announced, the other side is told that something follows the last bytes (MSG_MORE), and sends
 * them and the end in one segment: of the 20 segments of a short connection over loopback that saves two.
 *
 * Events are edge-triggered, so a flag stays until a call says otherwise: `readable` until a read finds nothing (or less
 * than it asked for, which spares the call that would find nothing, unless the end of the stream has been announced),
 * `writable` until a write takes less than it was given.
 *
 * Invariants: after `end` both sockets are closed and neither end touches a descriptor again. An end is in the reactor's
 * queue for another turn at most once (`queued`), and pumps only in that turn as long as it is.
 *
 * @module
 */

import { COPY_SIZE, type CopyBuffer } from "./copy_buffer.ts";
import { C, ERRNO, type Libc } from "./libc.ts";
import { type Pipe, PIPE_SIZE, type Pipes } from "./pipes.ts";
import type { Reactor, Source } from "./reactor.ts";
import { closeWithReset, pushHeld } from "./sockets.ts";

/** Full buffers in a row, after which a direction is taken for bulk: 256 KiB. */
const BULK_READS = 4;
/** Pieces in a row, and bytes of each, below which it no longer is. */
const SMALL_SPLICES = 8;
const SMALL_PIECE = 16 * 1024;
/** Bytes that a direction moves before others have their turn: some 30 µs by splicing, 100 µs by copying. */
const SHARE = 256 * 1024;

const MOST = BigInt(PIPE_SIZE);
const SPLICE_FLAGS = C.SPLICE_F_MOVE | C.SPLICE_F_NONBLOCK;
const READ_EVENTS = C.EPOLLIN | C.EPOLLRDHUP | C.EPOLLHUP;
const LAST_EVENTS = C.EPOLLRDHUP | C.EPOLLHUP;

/** What all flows of a backend share. */
export interface Relay {
  readonly libc: Libc;
  readonly reactor: Reactor;
  readonly buffer: CopyBuffer;
  readonly pipes: Pipes;
  /** The flow's connection to its target stands. */
  connected(flow: TcpFlow): void;
  /** The flow's descriptors are closed. */
  ended(flow: TcpFlow): void;
}

/** A client's connection and the one to its target. */
export class TcpFlow {
  readonly relay: Relay;
  /** Time at which a flow that is still connecting is given up, as {@linkcode Reactor.now}. */
  readonly deadline: number;
  readonly #client: TcpEnd;
  readonly #target: TcpEnd;
  connecting = true;
  over = false;

  /** Takes over two descriptors, of which `target` is being connected. */
  constructor(relay: Relay, client: number, target: number, deadline: number) {
    this.relay = relay;
    this.deadline = deadline;
    this.#client = new TcpEnd(this, client);
    this.#target = new TcpEnd(this, target);
    this.#client.peer = this.#target;
    this.#target.peer = this.#client;
    this.#client.writable = true;
  }

  /** Has the reactor tell what happens to both sockets. */
  watch(): void {
    const { reactor } = this.relay;
    if (reactor.add(this.#target.descriptor, this.#target) && reactor.add(this.#client.descriptor, this.#client)) {
      return;
    }
    this.end("broken");
  }

  /** The target's socket is writable for the first time. */
  connected(): void {
    this.connecting = false;
    this.relay.connected(this);
    this.#client.pump();
  }

  /** Closes both sockets, with resets if the flow was broken off. Calling it twice is harmless. */
  end(how: "closed" | "broken"): void {
    if (this.over) return;
    this.over = true;
    this.#client.close(how);
    this.#target.close(how);
    this.relay.ended(this);
  }
}

/** One socket of a flow, and the direction that begins there. */
class TcpEnd implements Source {
  generation = 0;
  readonly descriptor: number;
  readonly #flow: TcpFlow;
  /** The other end; its own until it has one. */
  peer: TcpEnd = this;
  writable = false;
  #readable = false;
  /** The peer has announced its last byte, or is gone. */
  #hangUp = false;
  /** The peer has announced its last byte, and no failure: reading finds the end of the stream and nothing else. */
  #endAnnounced = false;
  /** The other side was given bytes that it sends together with the end of the stream. */
  #held = false;
  /** The end of the stream has been read. */
  #done = false;
  #queued = false;
  /** What was read and not yet taken by the other side. */
  #pending: Uint8Array<ArrayBuffer> | undefined;
  #pipe: Pipe | undefined;
  /** Bytes in the pipe. */
  #piped = 0;
  #splicing = false;
  /** Reads or splices in a row that speak for changing over. */
  #signs = 0;

  constructor(flow: TcpFlow, descriptor: number) {
    this.#flow = flow;
    this.descriptor = descriptor;
  }

  ready(events: number): void {
    if (this.#flow.over) return;
    if (events === 0) {
      this.#queued = false;
      this.pump();
      return;
    }
    if (events & C.EPOLLERR) {
      this.#broken();
      return;
    }
    if (events & READ_EVENTS) {
      this.#readable = true;
      if (events & LAST_EVENTS) this.#hangUp = true;
      if (events & C.EPOLLRDHUP) this.#endAnnounced = true;
    }
    if (events & C.EPOLLOUT && !this.writable) {
      this.writable = true;
      if (this.#flow.connecting) this.#flow.connected();
      else this.peer.pump();
    }
    if (this.#readable) this.pump();
  }

  /** Moves what can be moved, up to a share. */
  pump(): void {
    const flow = this.#flow;
    if (flow.connecting || this.#queued) return;
    for (let moved = 0; !flow.over && this.peer.writable && this.#flush() && this.#readable;) {
      if (moved >= SHARE) {
        this.#queued = true;
        flow.relay.reactor.again(this);
        return;
      }
      moved += this.#splicing ? this.#splice() : this.#copy();
    }
  }

  close(how: "closed" | "broken"): void {
    const { libc, reactor, pipes } = this.#flow.relay;
    reactor.remove(this.descriptor);
    if (how === "broken") closeWithReset(libc, this.descriptor);
    else libc.call.close(this.descriptor);
    if (this.#pipe !== undefined) pipes.discard(this.#pipe);
    this.#pipe = undefined;
    this.#pending = undefined;
  }

  /** The connection was reset or never came about. What came before that is still passed on, as far as it is taken. */
  #broken(): void {
    this.#readable = this.#hangUp = true;
    this.#endAnnounced = false;
    this.pump();
    if (!this.#queued) this.#flow.end("broken");
  }

  /** Hands over what was read before; whether all of it was taken. */
  #flush(): boolean {
    if (this.#pending !== undefined) return this.#flushPending(this.#pending);
    if (this.#pipe !== undefined) return this.#flushPipe(this.#pipe);
    return true;
  }

  #flushPending(pending: Uint8Array<ArrayBuffer>): boolean {
    const { buffer } = this.#flow.relay;
    buffer.bytes.set(pending);
    const sent = buffer.send(this.peer.descriptor, pending.length, 0);
    if (sent === pending.length) {
      this.#pending = undefined;
      return true;
    }
    if (sent >= 0) this.#pending = pending.subarray(sent);
    this.#notTaken(sent);
    return false;
  }

  #flushPipe(pipe: Pipe): boolean {
    const { libc: { call }, pipes } = this.#flow.relay;
    while (this.#piped > 0) {
      const sent = call.splice(pipe.out, null, this.peer.descriptor, null, BigInt(this.#piped), SPLICE_FLAGS);
      if (sent <= 0) {
        this.#notTaken(sent);
        return false;
      }
      this.#piped -= sent;
    }
    this.#pipe = undefined;
    pipes.giveBack(pipe);
    return true;
  }

  /** The other side took less than it was given: it has no room, or is gone. */
  #notTaken(result: number): void {
    this.peer.writable = false;
    if (result < 0 && this.#flow.relay.libc.errno !== ERRNO.EAGAIN) this.#flow.end("broken");
  }

  /** Moves one buffer; how many bytes were read. */
  #copy(): number {
    const { buffer } = this.#flow.relay;
    const length = buffer.receive(this.descriptor);
    if (length <= 0) return this.#nothingRead(length);
    if (length === COPY_SIZE) {
      this.#signs++;
      if (this.#signs >= BULK_READS) this.#changeOver(true);
    } else {
      this.#signs = 0;
      if (!this.#hangUp) this.#readable = false;
    }
    this.#held = this.#endAnnounced && length < COPY_SIZE;
    const sent = buffer.send(this.peer.descriptor, length, this.#held ? C.MSG_MORE : 0);
    if (sent < length) {
      this.#pending = buffer.bytes.slice(Math.max(sent, 0), length);
      this.#notTaken(sent);
    }
    return length;
  }

  /** Moves into a pipe what fits; how many bytes. */
  #splice(): number {
    const { libc: { call }, pipes } = this.#flow.relay;
    const pipe = pipes.take();
    if (pipe === undefined) return this.#copy();
    const length = call.splice(this.descriptor, null, pipe.in, null, MOST, SPLICE_FLAGS);
    if (length <= 0) {
      pipes.giveBack(pipe);
      return this.#nothingRead(length);
    }
    this.#pipe = pipe;
    this.#piped = length;
    this.#signs = length < SMALL_PIECE ? this.#signs + 1 : 0;
    if (this.#signs >= SMALL_SPLICES) this.#changeOver(false);
    return length;
  }

  #changeOver(splicing: boolean): void {
    this.#splicing = splicing;
    this.#signs = 0;
  }

  /** Has the other side send what it holds: after an end that was announced there came something else, as a reset. */
  #push(): void {
    this.#held = false;
    pushHeld(this.#flow.relay.libc, this.peer.descriptor);
  }

  /** There was nothing to read (yet), the stream has ended, or the socket is broken. */
  #nothingRead(result: number): number {
    const { libc } = this.#flow.relay;
    if (result < 0) {
      const { errno } = libc;
      if (this.#held) this.#push();
      if (errno === ERRNO.EAGAIN) this.#readable = false;
      else this.#flow.end("broken");
      return 0;
    }
    this.#readable = false;
    this.#done = true;
    if (this.peer.#done) this.#flow.end("closed");
    else libc.call.shutdown(this.peer.descriptor, C.SHUT_WR);
    return 0;
  }
}
