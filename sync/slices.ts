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
const SLICE = 2;

/** Lets the event loop run whenever a slice's time is used up. */
export class Slices {
  #start = performance.now();

  /** To be awaited between two steps of the work; resolves at once while there is time left. */
  async pause(): Promise<void> {
    if (performance.now() - this.#start < SLICE) return;
    await setImmediate();
    this.#start = performance.now();
  }
}
