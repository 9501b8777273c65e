/**
 * The event loop of the Linux backend: one epoll set, served by the JavaScript thread.
 *
 * Theory of operation. Waiting costs a change of threads, so it is done only when there is nothing else to do:
 *
 *     resting ── first registration ──▶ waiting ── something happens ──▶ working ──▶ waiting
 *        ▲                                 │        or wake()              │ ▲ after SLICE, the runtime's
 *        └──── last one is removed ◀───────┴───────────────────────────────┘ └── event loop has its turn
 *
 * - resting: nothing is registered, nothing keeps the process alive.
 * - waiting: one `epoll_wait` without a time-out is under way on a thread of the runtime's pool. There are no timers and
 *   no wake-ups. An eventfd in the set ends it when there is work that no socket tells of.
 * - working: `epoll_wait` is called with time-out 0 as long as it finds something, or something did so shortly before.
 *
 * Sockets are registered once, edge-triggered, for everything. A source remembers what it was told, and is told again only
 * of news. One that stops before it is done, so that others get their share, asks for another turn with `again`; turns
 * are given once per round, after the events of that round.
 *
 * Invariants: at most one `epoll_wait` is under way aside, and it alone writes to its array of events. A source isn't
 * called any more from the moment it is removed: descriptors are used again, so an event carries the generation of the
 * source that it was registered for.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { C, ERRNO, lastError, LAYOUT, type Libc, systemFailure } from "./libc.ts";

/** Events taken at once. */
const MAX_EVENTS = 256;
/** Milliseconds of work after which the runtime's event loop has its turn: as `sync/slices.ts`, and for its reason. */
const SLICE = 2;
/** Rounds between two looks at the clock, which costs as much as a third of a system call. */
const ROUNDS_PER_LOOK = 8;
/**
 * Slices without any event, each with a turn of the runtime's event loop, before waiting aside. 2 cores, one HTTP
 * connection, which is never quicker to come back than a slice: 10,000 requests per second with 2 or fewer, 20,000 with 8,
 * no more with 20. 16 UDP peers on a machine whose cores all have other work: 40,000 round trips per second with none,
 * 30,000 with any, because datagrams then come one by one.
 */
const MAX_EMPTY_SLICES = 8;
/** What every socket is registered for. */
const INTEREST = (C.EPOLLIN | C.EPOLLOUT | C.EPOLLRDHUP | C.EPOLLET) | 0;

const EVENT = LAYOUT.epoll_event;
const EVENT_WORDS = EVENT.size / 4;
const DATA_WORD = EVENT.data / 4;

/** Something with a file descriptor that is told what happens to it. */
export interface Source {
  /** The reactor's, to tell this source's events from those of one that had the same descriptor before. */
  generation: number;
  /** Bits of EPOLLIN and so on; 0 for the turn that was asked for with {@linkcode Reactor.again}. */
  ready(events: number): void;
}

/** One epoll set and its loop. */
export class Reactor {
  /** Time in milliseconds as of `performance.now()`, not older than a slice while sources are called. */
  now: number = performance.now();
  readonly #libc: Libc;
  readonly #epoll: number;
  readonly #bell: number;
  readonly #events = new EventArray();
  readonly #eventsAside = new EventArray();
  /** The event that `epoll_ctl` is given. */
  readonly #scratch = new Uint32Array(new ArrayBuffer(16));
  /** By descriptor. */
  readonly #sources: (Source | undefined)[] = [];
  #count = 0;
  #generation = 0;
  #turns: Source[] = [];
  #otherTurns: Source[] = [];
  #state: "resting" | "waiting" | "working" = "resting";
  #waiting: Promise<void> | undefined;
  #disposed = false;

  /** @throws {PestoError} if the system doesn't grant it */
  constructor(libc: Libc) {
    this.#libc = libc;
    const { call } = libc;
    this.#epoll = call.epoll_create1(C.EPOLL_CLOEXEC);
    if (this.#epoll < 0) throw systemFailure("Can't make an epoll set", lastError(libc));
    this.#bell = call.eventfd(0, C.EFD_NONBLOCK | C.EFD_CLOEXEC);
    if (this.#bell < 0) {
      const error = lastError(libc);
      call.close(this.#epoll);
      throw systemFailure("Can't make an eventfd", error);
    }
    this.#watch(this.#bell, 0);
  }

  /** Registers a descriptor; `source` is called for everything that happens to it, also for what has happened already. */
  add(descriptor: number, source: Source): void {
    this.#generation = (this.#generation + 1) | 0;
    source.generation = this.#generation;
    this.#sources[descriptor] = source;
    this.#watch(descriptor, this.#generation);
    if (this.#count++ === 0) this.#start();
  }

  /** Forgets a descriptor, which its owner closes next: that takes it out of the epoll set. */
  remove(descriptor: number): void {
    if (this.#sources[descriptor] === undefined) return;
    this.#sources[descriptor] = undefined;
    if (--this.#count === 0) this.#wake();
  }

  /** Gives `source` another turn in the next round, with no events. */
  again(source: Source): void {
    this.#turns.push(source);
    this.#wake();
  }

  /** Closes the set. Everything registered must have been removed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#wake();
    await this.#waiting;
    this.#libc.call.close(this.#bell);
    this.#libc.call.close(this.#epoll);
  }

  #wake(): void {
    if (this.#state === "waiting") this.#libc.call.eventfd_write(this.#bell, 1n);
  }

  #start(): void {
    if (this.#state !== "resting") return;
    this.#waiting = this.#loop();
  }

  async #loop(): Promise<void> {
    const { call } = this.#libc;
    while (this.#count > 0 && !this.#disposed) {
      this.#state = "waiting";
      const count = await call.epoll_wait_aside(this.#epoll, this.#eventsAside.bytes, MAX_EVENTS, -1);
      this.#state = "working";
      this.now = performance.now();
      // A signal ends a wait with an error that only the other thread knows; what else is wrong, the next round finds.
      if (count > 0) this.#dispatch(this.#eventsAside, count);
      let empty = 0;
      while (empty < MAX_EMPTY_SLICES && !this.#disposed && this.#count > 0) {
        empty = this.#slice() ? 0 : empty + 1;
        await new Promise<void>((next) => setImmediate(next));
      }
    }
    this.#state = "resting";
    this.#waiting = undefined;
  }

  /** Works for up to a slice; whether there was anything to do. */
  #slice(): boolean {
    const end = performance.now() + SLICE;
    for (let round = 1; !this.#disposed; round++) {
      const count = this.#libc.call.epoll_wait(this.#epoll, this.#events.bytes, MAX_EVENTS, 0);
      if (count < 0 && this.#libc.errno !== ERRNO.EINTR) {
        throw systemFailure("Can't wait for events", lastError(this.#libc));
      }
      const idle = count <= 0 && this.#turns.length === 0;
      if (idle) return round > 1;
      if (count > 0) this.#dispatch(this.#events, count);
      this.#giveTurns();
      if (round % ROUNDS_PER_LOOK === 0) {
        this.now = performance.now();
        if (this.now > end) return true;
      }
    }
    return true;
  }

  #dispatch({ words }: EventArray, count: number): void {
    for (let event = 0, at = 0; event < count; event++, at += EVENT_WORDS) {
      const descriptor = words[at + DATA_WORD] ?? 0;
      const source = this.#sources[descriptor];
      // The bell has no source. It needn't be read, either: every ring is news.
      if (source !== undefined && source.generation === words[at + DATA_WORD + 1]) source.ready(words[at] ?? 0);
    }
  }

  #giveTurns(): void {
    const turns = this.#turns;
    if (turns.length === 0) return;
    this.#turns = this.#otherTurns;
    for (const source of turns) source.ready(0);
    turns.length = 0;
    this.#otherTurns = turns;
  }

  #watch(descriptor: number, generation: number): void {
    const event = this.#scratch;
    event[EVENT.events / 4] = INTEREST;
    event[DATA_WORD] = descriptor;
    event[DATA_WORD + 1] = generation;
    if (this.#libc.call.epoll_ctl(this.#epoll, C.EPOLL_CTL_ADD, descriptor, event) < 0) {
      throw systemFailure("Can't watch a file descriptor", lastError(this.#libc));
    }
  }
}

/** Where `epoll_wait` puts events. */
class EventArray {
  readonly words = new Int32Array(new ArrayBuffer(MAX_EVENTS * EVENT.size));
  readonly bytes = new Uint8Array(this.words.buffer);
}
