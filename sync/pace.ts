/**
 * The pace of control work, so that relaying never waits for it, however many clients there are.
 *
 * Theory of operation. Control clients and the relays share one thread, and what hundreds of clients have sent arrives in
 * one turn of the event loop: all of their callbacks would run before the relays' next turn. So a conversation asks before
 * each step, that is before it looks at what was read, writes, or begins; and of these only so many go on in one turn:
 *
 *     open ── STEPS_PER_TURN steps are taken ──▶ used up ── end of the event loop's turn ──▶ open
 *
 * - open: a step is taken at once. The first one of a turn asks to be told of the turn's end.
 * - used up: whoever asks stands in a queue. The next turn begins with those who have waited longest.
 *
 * Invariants: somebody waits only while the end of the turn is due, so nobody is forgotten. With nobody waiting the pace
 * keeps nothing alive for longer than one turn. A step is one piece of a conversation's work, at most a frame of 64 KiB;
 * what takes longer has slices of its own (`sync/slices.ts`).
 *
 * @module
 */

import { setImmediate } from "node:timers";
import type { Connection } from "../codec/channel.ts";

/**
 * Steps in one turn of the event loop. 2 busy cores, one flow through the relays beside 250 clients that connect again and
 * again: in 700 ms, 300 round trips without a pace, 2000 with 8, 4000 and more with 2, of 7000 without these clients.
 * Their rate was 2000 in the same time, with 2. A client that is alone doesn't feel it: a small update takes four steps,
 * most of them in a turn of their own.
 */
const STEPS_PER_TURN = 2;

/** Lets only so many steps be taken in one turn of the event loop. */
export class Pace {
  #left = STEPS_PER_TURN;
  #turnEnds = false;
  /** Those who wait, from `#next` on. */
  #waiting: (() => void)[] = [];
  #next = 0;

  /** To be awaited before a step; resolves at once while there is time for it, and in the order of asking. */
  step(): Promise<void> {
    if (this.#left > 0) {
      this.#take();
      return Promise.resolve();
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #take(): void {
    this.#left--;
    if (this.#turnEnds) return;
    this.#turnEnds = true;
    setImmediate(() => this.#nextTurn());
  }

  #nextTurn(): void {
    this.#turnEnds = false;
    this.#left = STEPS_PER_TURN;
    while (this.#left > 0 && this.#next < this.#waiting.length) {
      this.#take();
      this.#waiting[this.#next++]?.();
    }
    if (this.#next < this.#waiting.length) return;
    this.#waiting = [];
    this.#next = 0;
  }
}

/** A connection that delivers what was read, and takes what is written, at a pace. */
export function paced(connection: Connection, pace: Pace): Connection {
  return {
    read: async (into) => {
      const size = await connection.read(into);
      await pace.step();
      return size;
    },
    write: async (bytes) => {
      await pace.step();
      return await connection.write(bytes);
    },
    close: () => connection.close(),
  };
}
