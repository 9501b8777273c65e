/**
 * How long the event loop was held up.
 *
 * @module
 */

import { setImmediate } from "node:timers/promises";

/** Comes round as often as the event loop does. */
export class LoopWatch implements Disposable {
  #last = performance.now();
  #longest = 0;
  #stopped = false;

  constructor() {
    this.#run();
  }

  /** Milliseconds of the longest time between two turns of the event loop since the last call. */
  async longest(): Promise<number> {
    await setImmediate();
    const longest = this.#longest;
    this.#longest = 0;
    return longest;
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      await setImmediate();
      const now = performance.now();
      this.#longest = Math.max(this.#longest, now - this.#last);
      this.#last = now;
    }
  }
}
