/**
 * Long work in slices, so that relaying never waits for it.
 *
 * Theory of operation. Whoever does such work asks between its steps whether the slice is over, and if so lets the event
 * loop have a turn. For who relays that may be too seldom, and they say so:
 *
 * - `attending`: they relay with calls of their own, and are called within the slices, too, whenever ATTENDANCE has passed
 *   since they were called last.
 * - `needingTurns`: the runtime relays for them, and takes several turns before it looks for what came in.
 *
 * All of it runs on one thread, so they see everything between two steps, and whoever does the work must leave nothing half
 * done there.
 *
 * @module
 */

import { setImmediate } from "node:timers/promises";
import type { Steps } from "../codec/steps.ts";

/**
 * Milliseconds that one slice may take before the event loop gets its turn. A relayed round trip waits for two of them, one
 * for each way, and the bar is 5 ms for 99.9 % (`tests/bench/sync_bench.ts`). On 2 busy cores the worst 10 round trips of
 * an update took 4 to 8 ms with 1 and 8 to 20 ms with 2, and opening 10,000 ports took as long with either; with 4 it took
 * no less. What no slice bounds are the collector's pauses, which are the longer the more objects each port leaves behind:
 * 19 for 300,000 ports opened and closed, 5 to 8 ms on average on a machine with other work.
 */
const SLICE = 1;
/** Milliseconds of work after which those are called who attend: as long as they may take for it. */
export const ATTENDANCE = 0.2;
/**
 * Small steps between two looks at the clock, which cost 0.25 µs each, a quarter of what it takes to point a socket at its
 * new rule (255 rules in a transaction of 1 ms). The longest such step, opening a port over Deno's sockets, takes 40 µs.
 */
const SMALL_STEPS_PER_LOOK = 8;

const attendants = new Set<() => void>();

/**
 * Has something be called between the steps of all long work, until it is disposed of. It should return within ATTENDANCE,
 * and must not do long work itself.
 */
export function attending(attend: () => void): Disposable {
  attendants.add(attend);
  return { [Symbol.dispose]: () => attendants.delete(attend) };
}

/** How many turns those want who need more than one. */
const turnsNeeded = new Set<{ readonly turns: number }>();

/** Has the event loop have at least so many turns between two slices, until it is disposed of. */
export function needingTurns(turns: number): Disposable {
  const need = { turns };
  turnsNeeded.add(need);
  return { [Symbol.dispose]: () => turnsNeeded.delete(need) };
}

/**
 * Lets the event loop run whenever a slice's time is used up.
 *
 *     for (const step of work) {
 *       step();
 *       if (slices.over()) await slices.next();
 *     }
 */
export class Slices {
  #end = performance.now() + SLICE;
  /** When those who attend are due. */
  #attendance = performance.now() + ATTENDANCE;
  #smallSteps = 0;

  /** Whether the time of this slice is used up. To be asked between two steps: awaiting costs more than a small step. */
  over(): boolean {
    let now = performance.now();
    if (now >= this.#attendance) {
      for (const attend of attendants) attend();
      now = performance.now();
      this.#attendance = now + ATTENDANCE;
    }
    return now >= this.#end;
  }

  /** The same after a step of a few microseconds: looks at the clock only now and then. */
  overAfterSmallStep(): boolean {
    return ++this.#smallSteps % SMALL_STEPS_PER_LOOK === 0 && this.over();
  }

  /** Resolves when the event loop has had its turn, or turns, and a new slice begins. */
  async next(): Promise<void> {
    let most = 1;
    for (const { turns } of turnsNeeded) most = Math.max(most, turns);
    for (let turn = 0; turn < most; turn++) await setImmediate();
    const now = performance.now();
    this.#end = now + SLICE;
    this.#attendance = now + ATTENDANCE;
  }

  /** Does work that comes in steps, with a pause between any two of them. */
  async run<T>(work: Steps<T>): Promise<T> {
    try {
      for (;;) {
        const step = work.next();
        if (step.done) return step.value;
        if (this.over()) await this.next();
      }
    } finally {
      // Harmless if it is done; otherwise it gives back what it took.
      work.return(undefined as never);
    }
  }
}
