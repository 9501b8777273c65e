/**
 * Long work in slices, so that relaying never waits for it.
 *
 * @module
 */

import { setImmediate } from "node:timers/promises";

/**
 * Milliseconds that one slice may take before the event loop gets its turn. The bar for relayed round trips is 5 ms
 * while a sync runs; 2 ms leaves room for the garbage collector and for the one step that overruns.
 */
const SLICE = 1;

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

  /** Whether the time of this slice is used up. To be asked between two steps: awaiting costs more than a small step. */
  get over(): boolean {
    return performance.now() >= this.#end;
  }

  /** Resolves when the event loop has had its turn, and a new slice begins. */
  async next(): Promise<void> {
    await setImmediate();
    this.#end = performance.now() + SLICE;
  }
}
