/**
 * What has arrived before a listing is asked for.
 *
 * A client whose protocol has no answers looks again to find out what became of its update. Conversations are served
 * side by side, so its update may still lie unread, or be in the midst of being applied, when the second look arrives.
 * Before such a look is answered, the event loop gets the time to read what lies there, and updates that are complete
 * are waited for. Clients that are merely slow, or silent, are not.
 *
 * @module
 */

import { setImmediate } from "node:timers/promises";
import type { Pace } from "./pace.ts";

/** Milliseconds that the event loop is given to read what has arrived: the shortest that makes it ask the system. */
const LOOK = 1;

/** One conversation's part of it. Disposing of it says that the conversation is over. */
export class Arrival implements Disposable {
  /** How many events its client has caused so far. */
  events = 0;
  /** Whether the whole update has come. */
  complete = false;
  readonly #over = Promise.withResolvers<void>();
  readonly #forget: (arrival: Arrival) => void;

  /** Use {@linkcode Arrivals.begin}. */
  constructor(forget: (arrival: Arrival) => void) {
    this.#forget = forget;
  }

  /** Resolves when the conversation is over. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  [Symbol.dispose](): void {
    this.#forget(this);
    this.#over.resolve();
  }
}

/** The conversations of one control socket. */
export class Arrivals {
  readonly #unfinished = new Set<Arrival>();
  readonly #pace: Pace;

  /** What has been read is taken in at this pace. */
  constructor(pace: Pace) {
    this.#pace = pace;
  }

  /** To be called when a conversation begins. */
  begin(): Arrival {
    const arrival = new Arrival((arrival) => this.#unfinished.delete(arrival));
    this.#unfinished.add(arrival);
    return arrival;
  }

  /** Resolves when every update that had come whole before `arrival` is done with. */
  async before(arrival: Arrival): Promise<void> {
    const earlier = [...this.#unfinished];
    earlier.splice(earlier.indexOf(arrival));
    const pending = () => earlier.filter((other) => this.#unfinished.has(other));
    for (let seen = -1; pending().length > 0;) {
      const events = earlier.reduce((sum, other) => sum + other.events, 0);
      if (events === seen) break;
      seen = events;
      await new Promise((resolve) => setTimeout(resolve, LOOK));
      // What was read by now stands before this step; a turn later it has had its effect.
      await this.#pace.step();
      await setImmediate();
    }
    await Promise.all(pending().filter(({ complete }) => complete).map(({ over }) => over));
  }
}
