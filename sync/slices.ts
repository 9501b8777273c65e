/**
 * Long work in slices, so that relaying never waits for it.
 *
 * @module
 */

import { setImmediate } from "node:timers/promises";
import type { Steps } from "../codec/steps.ts";

/**
 * Milliseconds that one slice may take before the event loop gets its turn. A relayed round trip waits for two of them, one
 * for each way, and the bar is 5 ms for 99.9 % (`tests/bench/sync_bench.ts`). On 2 busy cores the worst 10 round trips of
 * an update took 4 to 8 ms with 1 and 8 to 20 ms with 2, and opening 10,000 ports took as long with either. Where the
 * Linux backend opens or closes, it relays within a slice as well (`linux/reactor.ts`): a slice's length then counts for
 * what else there is to do. What no slice bounds are the collector's pauses, which are the longer the more objects each
 * port leaves behind: 19 for 300,000 ports opened and closed, 5 to 8 ms on average on a machine with other work.
 */
const SLICE = 1;

/**
 * Small steps between two looks at the clock, which cost 0.25 µs each, a quarter of what it takes to point a socket at its new
 * rule (255 rules in a transaction of 1 ms). The longest such step, opening a port over Deno's sockets, takes 40 µs.
 */
const SMALL_STEPS_PER_LOOK = 8;

/**
 * Lets the event loop run whenever a slice's time is used up.
 *
 *     for (const step of work) {
 *       step();
 *       if (slices.over) await slices.next();
 *     }
 */
export class Slices {
  #end = performance.now() + SLICE;
  #smallSteps = 0;

  /** Whether the time of this slice is used up. To be asked between two steps: awaiting costs more than a small step. */
  get over(): boolean {
    return performance.now() >= this.#end;
  }

  /** The same after a step of a few microseconds: looks at the clock only now and then. */
  overAfterSmallStep(): boolean {
    return ++this.#smallSteps % SMALL_STEPS_PER_LOOK === 0 && this.over;
  }

  /** Resolves when the event loop has had its turn, and a new slice begins. */
  async next(): Promise<void> {
    await setImmediate();
    this.#end = performance.now() + SLICE;
  }

  /** Does work that comes in steps, with a pause between any two of them. */
  async run<T>(work: Steps<T>): Promise<T> {
    try {
      for (;;) {
        const step = work.next();
        if (step.done) return step.value;
        if (this.over) await this.next();
      }
    } finally {
      // Harmless if it is done; otherwise it gives back what it took.
      work.return(undefined as never);
    }
  }
}
