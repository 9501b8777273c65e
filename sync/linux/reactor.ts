/**
 * The event loop of the Linux backend: one epoll set, served by the JavaScript thread, and a thread of the runtime's that
 * only tells that it has something.
 *
 * Theory of operation. Waiting costs a change of threads, so it is done only when there is nothing else to do:
 *
 *     resting ── first registration ──▶ waiting ── something happens ──▶ working ──▶ waiting
 *        ▲                                 │        or wake()              │ ▲ after SLICE, the runtime's
 *        └──── last one is removed ◀───────┴───────────────────────────────┘ └── event loop has its turn
 *
 * - resting: nothing is registered, nothing keeps the process alive.
 * - waiting: one `poll` of the set, without a time-out, is under way on a thread of the runtime's pool. There are no timers
 *   and no wake-ups. An eventfd beside the set, the bell, ends it when there is work that no socket tells of. (A second set
 *   with the first one in it would do as well, but makes adding to the first more expensive: the kernel looks for loops.)
 * - working: `epoll_wait` is called with time-out 0 as long as it finds something, or something did so shortly before.
 *
 * That a wait has ended is heard late while the JavaScript thread has long work of its own: the runtime asks what other
 * threads have done only every few turns of its event loop. Whoever does such work in slices (`sync/slices.ts`) has
 * `attend` called between its steps, which serves the sockets there and then, for a short while; and from then on so does
 * every turn, whatever becomes of the wait, until that work has been over for some slices. That is why the wait takes no
 * events, as an `epoll_wait` would: they would be stuck in it.
 *
 * Sockets are registered once, edge-triggered, for everything. A source remembers what it was told, and is told again only
 * of news. One that stops before it is done, so that others get their share, asks for another turn with `again`. A round is
 * the events of one `epoll_wait` and then the turns asked for before it; a slice may end in the middle of one.
 *
 * Invariants: at most one `poll` is under way aside, and it alone writes to what it is given. A source isn't
 * called any more from the moment it is removed: descriptors are used again, so an event carries the generation of the
 * source that it was registered for. No source is called while another one is.
 *
 * @module
 */

import { setImmediate } from "node:timers";
import { ATTENDANCE } from "../slices.ts";
import { C, ERRNO, lastError, LAYOUT, type Libc, systemFailure } from "./libc.ts";

/** Events taken at once. */
const MAX_EVENTS = 256;
/** What is done before the runtime's event loop has its turn; `sync/slices.ts` says what is at stake. */
const SLICE = { milliseconds: 2, rounds: Infinity } as const;
/**
 * What is done at most in the midst of long work. One flow that never pauses, and an update of 65,535 rules on 2 cores: its
 * longest round trip took 5 to 7 ms with 1 round, 5 to 6 with 4, as beside any other busy program; without a bound the
 * update took half as long again, since the flow always has news.
 */
const ATTENDING = { milliseconds: ATTENDANCE, rounds: 4 } as const;
/** Calls of sources between two looks at the clock, which costs as much as a third of a system call. */
const CALLS_PER_LOOK = 4;
/**
 * Slices without any event, each with a turn of the runtime's event loop, before waiting aside. 2 cores, one HTTP
 * connection, which is never quicker to come back than a slice: 10,000 requests per second with 2 or fewer, 20,000 with 8,
 * no more with 20. 16 UDP peers on a machine whose cores all have other work: 40,000 round trips per second with none,
 * 30,000 with any, because datagrams then come one by one.
 */
const MAX_EMPTY_SLICES = 8;
/** What every socket is registered for. */
const INTEREST = (C.EPOLLIN | C.EPOLLOUT | C.EPOLLRDHUP | C.EPOLLET) | 0;

const POLL = LAYOUT.pollfd;
const EVENT = LAYOUT.epoll_event;
const EVENT_WORDS = EVENT.size / 4;
const DATA_WORD = EVENT.data / 4;

/** How long to serve the sockets. */
interface Bounds {
  readonly milliseconds: number;
  /** Rounds to begin. */
  readonly rounds: number;
}

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
  /** What `poll` is given: the set and the bell. */
  readonly #polled = new Uint8Array(new ArrayBuffer(2 * POLL.size));
  /** Events of the present round, and which is the next. */
  readonly #events = new EventArray();
  #eventCount = 0;
  #nextEvent = 0;
  /** Turns of the present round, and which is the next. */
  #turns: Source[] = [];
  #nextTurn = 0;
  /** Turns asked for since. */
  #asked: Source[] = [];
  /** Where reading the bell puts how often it was rung. */
  readonly #rung = new Uint8Array(new ArrayBuffer(8));
  /** The event that `epoll_ctl` is given. */
  readonly #scratch = new Uint32Array(new ArrayBuffer(16));
  /** By descriptor. */
  readonly #sources: (Source | undefined)[] = [];
  #count = 0;
  #generation = 0;
  #state: "resting" | "waiting" | "working" = "resting";
  #waiting: Promise<void> | undefined;
  /** Slices without any event since the last one with some. */
  #emptySlices = 0;
  /** Serves the sockets while waiting. */
  #attending: Promise<void> | undefined;
  /** Sources are being called. */
  #serving = false;
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
    const polled = new DataView(this.#polled.buffer);
    for (const [index, descriptor] of [this.#epoll, this.#bell].entries()) {
      polled.setInt32(index * POLL.size + POLL.fd, descriptor, true);
      polled.setInt16(index * POLL.size + POLL.events, C.POLLIN, true);
    }
  }

  /**
   * Registers a descriptor; `source` is called for everything that happens to it, also for what has happened already.
   *
   * @returns false, with the error in `errno`, if the system doesn't grant it
   */
  add(descriptor: number, source: Source): boolean {
    this.#generation = (this.#generation + 1) | 0;
    if (!this.#watch(descriptor, this.#generation)) return false;
    source.generation = this.#generation;
    this.#sources[descriptor] = source;
    if (this.#count++ === 0) this.#start();
    return true;
  }

  /** Forgets a descriptor, which its owner closes next: that takes it out of the epoll set. */
  remove(descriptor: number): void {
    if (this.#sources[descriptor] === undefined) return;
    this.#sources[descriptor] = undefined;
    if (--this.#count === 0) this.#wake();
  }

  /** Gives `source` another turn in the next round, with no events. */
  again(source: Source): void {
    this.#asked.push(source);
    this.#wake();
  }

  /**
   * Somebody does long work, and is between two steps of it: the sockets are served before this returns, and in the next
   * turns of the event loop as well. Finding nothing takes 1 µs.
   */
  attend(): void {
    this.#emptySlices = 0;
    if (this.#state === "waiting") this.#attending ??= this.#attend();
    if (this.#state !== "resting" && !this.#serving) this.#slice(ATTENDING);
  }

  /** Closes the set. Everything registered must have been removed. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#wake();
    await this.#waiting;
    await this.#attending;
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
      // A signal ends it with an error that only the other thread knows; what else is wrong, the next round finds.
      await call.poll_aside(this.#polled, 2n, -1);
      this.#state = "working";
      if (this.#polled[POLL.size + POLL.revents] !== 0) call.read(this.#bell, this.#rung, 8n);
      await this.#work("working");
    }
    this.#state = "resting";
    this.#waiting = undefined;
  }

  /** Serves the sockets until there has been nothing for a while, as long as the state is this one. */
  async #work(state: "waiting" | "working"): Promise<void> {
    this.#emptySlices = 0;
    while (this.#emptySlices < MAX_EMPTY_SLICES && this.#state === state && !this.#disposed && this.#count > 0) {
      this.#emptySlices = this.#slice(SLICE) ? 0 : this.#emptySlices + 1;
      await new Promise<void>((next) => setImmediate(next));
    }
  }

  async #attend(): Promise<void> {
    // Not in the midst of what the caller does.
    await new Promise<void>((next) => setImmediate(next));
    await this.#work("waiting");
    this.#attending = undefined;
  }

  /** Works until there is nothing to do, or a bound is reached; whether there was anything. */
  #slice(bounds: Bounds): boolean {
    this.#serving = true;
    try {
      return this.#serveWithin(bounds);
    } finally {
      this.#serving = false;
    }
  }

  #serveWithin({ milliseconds, rounds }: Bounds): boolean {
    this.now = performance.now();
    const end = this.now + milliseconds;
    for (let calls = 0, begun = 0; !this.#disposed; begun++) {
      while (this.#serveNext()) {
        if (++calls % CALLS_PER_LOOK !== 0) continue;
        this.now = performance.now();
        if (this.now > end) return true;
      }
      if (begun === rounds || !this.#beginRound()) return calls > 0;
    }
    return true;
  }

  /** Calls the next source of the present round; false if there is none. */
  #serveNext(): boolean {
    if (this.#nextEvent < this.#eventCount) {
      const { words } = this.#events;
      const at = this.#nextEvent++ * EVENT_WORDS;
      const source = this.#sources[words[at + DATA_WORD] ?? 0];
      if (source !== undefined && source.generation === words[at + DATA_WORD + 1]) source.ready(words[at] ?? 0);
      return true;
    }
    const source = this.#turns[this.#nextTurn];
    if (source === undefined) return false;
    this.#nextTurn++;
    source.ready(0);
    return true;
  }

  /** Looks for events; whether there are any, or turns to give. */
  #beginRound(): boolean {
    const served = this.#turns;
    served.length = 0;
    this.#turns = this.#asked;
    this.#asked = served;
    this.#nextTurn = 0;
    const count = this.#libc.call.epoll_wait(this.#epoll, this.#events.bytes, MAX_EVENTS, 0);
    if (count < 0 && this.#libc.errno !== ERRNO.EINTR) {
      throw systemFailure("Can't wait for events", lastError(this.#libc));
    }
    this.#eventCount = Math.max(count, 0);
    this.#nextEvent = 0;
    return this.#eventCount + this.#turns.length > 0;
  }

  #watch(descriptor: number, generation: number): boolean {
    const event = this.#scratch;
    event[EVENT.events / 4] = INTEREST;
    event[DATA_WORD] = descriptor;
    event[DATA_WORD + 1] = generation;
    return this.#libc.call.epoll_ctl(this.#epoll, C.EPOLL_CTL_ADD, descriptor, event) === 0;
  }
}

/** Where `epoll_wait` puts events. */
class EventArray {
  readonly words = new Int32Array(new ArrayBuffer(MAX_EVENTS * EVENT.size));
  readonly bytes = new Uint8Array(this.words.buffer);
}
